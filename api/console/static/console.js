// What pages gain from a script; they are whole without it. Text from the server goes into textContent, and nowhere else.
"use strict";

function localTimes(root) {
  const shown = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = at.toISOString().replace("T", " ").replace("Z", " UTC");
    time.textContent = shown.format(at);
  }
}

function copyButtons() {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "copied";
    });
  }
}

function keyboard() {
  const keys = document.getElementById("keys");
  let going = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    if (going) {
      going = false;
      const link = document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`);
      if (link) link.click();
    } else if (event.key === "g") {
      going = true;
    } else if (event.key === "/") {
      const search = document.querySelector("[data-search]") || document.querySelector("main input");
      if (search) { event.preventDefault(); search.focus(); }
    } else if (event.key === "?") {
      keys.showModal();
    }
  });
}

// Values that change while one looks: told by name, and where the page has another shape by now it is opened anew.
function live() {
  const place = document.querySelector("[data-live]");
  if (!place) return;
  const state = document.getElementById("live-state");
  const source = new EventSource(place.dataset.live);
  source.onopen = () => { state.textContent = "live"; };
  source.onerror = () => { state.textContent = source.readyState === EventSource.CLOSED ? "not live: open the page again" : "not live: connecting again"; };
  source.addEventListener("values", (event) => {
    const told = JSON.parse(event.data);
    if (told.shape !== place.dataset.shape) { source.close(); location.reload(); return; }
    for (const [name, value] of Object.entries(told.values)) {
      for (const element of document.querySelectorAll(`[data-value="${CSS.escape(name)}"]`)) element.textContent = value;
    }
    for (const [name, [x, width]] of Object.entries(told.bar)) {
      const part = document.querySelector(`rect[data-part="${CSS.escape(name)}"]`);
      if (part) { part.setAttribute("x", x); part.setAttribute("width", width); }
    }
  });
}

localTimes(document);
copyButtons();
keyboard();
live();

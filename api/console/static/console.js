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
    for (const [name, points] of Object.entries(told.lines)) {
      const line = document.querySelector(`polyline[data-line="${CSS.escape(name)}"]`);
      if (line) line.setAttribute("points", points);
    }
    for (const [name, [x, width]] of Object.entries(told.bar)) {
      const part = document.querySelector(`rect[data-part="${CSS.escape(name)}"]`);
      if (part) { part.setAttribute("x", x); part.setAttribute("width", width); }
    }
  });
}

// The editor of a rule asks what is wrong a moment after the last key; without an answer, sending the form tells it.
function checks() {
  const form = document.querySelector("form[data-check]");
  if (!form) return;
  let timer = 0;
  let asked = 0;
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(check, 400); });
  async function check() {
    const number = ++asked;
    const answer = await fetch(form.dataset.check, { method: "POST", body: new URLSearchParams(new FormData(form)) }).catch(() => null);
    if (!answer || !answer.ok || number !== asked) return;
    show(await answer.json());
  }
  function show(told) {
    for (const place of form.querySelectorAll(".fault[id]")) {
      const name = place.id.slice("fault-".length);
      place.textContent = told.faults[name] || "";
      const field = form.elements[name];
      if (told.faults[name]) field.setAttribute("aria-invalid", "true"); else field.removeAttribute("aria-invalid");
    }
    for (const place of form.querySelectorAll(".mark")) {
      place.textContent = told.marks[place.id.slice("mark-".length)] || "";
      place.hidden = !place.textContent;
    }
    const warnings = document.getElementById("warnings");
    warnings.replaceChildren(...told.warnings.map((words) => { const item = document.createElement("li"); item.textContent = words; return item; }));
    warnings.hidden = !told.warnings.length;
    form.dataset.checked = String(asked);
  }
}

function files() {
  for (const place of document.querySelectorAll("[data-file]")) {
    place.hidden = false;
    const input = place.querySelector("input");
    input.addEventListener("change", async () => {
      if (input.files[0]) document.getElementById(place.dataset.file).value = await input.files[0].text();
    });
  }
}

checks();
files();
localTimes(document);
copyButtons();
keyboard();
live();

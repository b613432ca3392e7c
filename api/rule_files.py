"""/api/v2/rules/import and /export: whole files of rules, JSON Lines or YAML, in all or nothing, and out again."""

from __future__ import annotations

import asyncio

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api import bodies
from api.authors import author_of
from api.metrics import ApiMetrics
from api.pattern_guard import PatternGuard
from api.problems import Fault, Invalid, JsonResponse
from api.queries import QueryReader
from api.reasons import LONGEST_REASON, WHY
from api.routes import NDJSON, ApiRoute, Parameter
from api.rules import PATH
from schemas.errors import RuleRefused
from schemas.rule_files import FileRule, RulesFormat, read_rules, write_rules
from schemas.rules import Rule
from schemas.scopes import Scope
from streams.adapters.rule_store import RuleStore
from streams.adapters.rules import Imported, missing

YAML = "application/yaml"
FORMATS = {NDJSON: RulesFormat.JSONL, "application/jsonl": RulesFormat.JSONL, YAML: RulesFormat.YAML,
           "application/x-yaml": RulesFormat.YAML, "text/yaml": RulesFormat.YAML}  # fmt: skip
"""How a file is written, by its Content-Type."""
MEDIA = {RulesFormat.JSONL: NDJSON, RulesFormat.YAML: YAML}


EXAMPLE = (
    '{"match_string": "link down", "team_assignment": "netops"}\n{"match_type": "regex", "match_string": "fan [0-9]"}\n'
)


class ImportAnswer(Struct, frozen=True):
    """What an import did, or would do."""

    added: int
    unchanged: int
    """Rules of the file that stand there already, word for word."""
    dry_run: bool


class RuleFiles:
    def __init__(self, rules: RuleStore, patterns: PatternGuard, metrics: ApiMetrics) -> None:
        self._rules = rules
        self._patterns = patterns
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        dry_run = Parameter("dry_run", "`true`: only say what would be added.", bool)
        format_ = Parameter("format", "jsonl or yaml.", RulesFormat, example="jsonl")
        return (
            ApiRoute(method="POST", path=PATH + "/import", endpoint=self.add, scope=Scope.RULES_WRITE,
                     summary="The rules of a file that are not there yet: all, or none when one is bad",
                     description="Each fault names its line. The same file again adds nothing.",
                     query=(dry_run, WHY), body=str, example=EXAMPLE, accepts=tuple(FORMATS), answer=ImportAnswer),
            ApiRoute(method="GET", path=PATH + "/export", endpoint=self.export, scope=Scope.RULES_READ,
                     summary="Every rule in rank order, as a file that an import reads", query=(format_,),
                     gives=(NDJSON, YAML), description="JSON Lines; with `format=yaml` YAML."),
        )  # fmt: skip

    async def add(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        dry_run, reason = reader.switch("dry_run") or False, reader.text("reason", longest=LONGEST_REASON)
        reader.finish()
        content = await bodies.read_bytes(request)
        rules = await self._checked(content, FORMATS[bodies.media_type(request) or NDJSON])
        with self._metrics.timed("rules_import"):
            if dry_run:
                done = await self._would_add(rules)
            else:
                done = await self._rules.add_missing(rules, author_of(request, reason))
        return JsonResponse(ImportAnswer(done.added, done.unchanged, dry_run))

    async def export(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        chosen = reader.choice("format", tuple(RulesFormat)) or RulesFormat.JSONL
        reader.finish()
        with self._metrics.timed("rules"):
            every = await self._rules.every()
        headers = {"Content-Disposition": f'attachment; filename="rules.{chosen.value}"'}
        pieces = write_rules((stored.rule for stored in every), chosen)
        return StreamingResponse(pieces, media_type=MEDIA[chosen], headers=headers)

    async def _checked(self, content: bytes, format_: RulesFormat) -> list[Rule]:
        """The rules of a file, each valid and its pattern accepted. Raises Invalid naming lines."""
        try:
            found: list[FileRule] = await asyncio.to_thread(read_rules, content, format_)
        except RuleRefused as refused:
            raise Invalid([Fault(problem) for problem in refused.problems]) from None
        problems = await self._patterns.problems([read.rule for read in found])
        if problems:
            lines = [(found[one.rule].line, one.reason) for one in problems]
            raise Invalid([Fault(f"line {line}: match_string: {reason}") for line, reason in lines])
        return [read.rule for read in found]

    async def _would_add(self, rules: list[Rule]) -> Imported:
        added = len(missing(rules, [stored.rule for stored in await self._rules.every()]))
        return Imported(added, len(rules) - added)

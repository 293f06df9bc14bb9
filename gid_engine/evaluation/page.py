"""A report of headings, sentences, tables and pictures, as Markdown with files or as one HTML page."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..media import safe_write

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .8em;border-bottom:1px solid #ddd;"
    "text-align:right}td:first-child,th:first-child{text-align:left}img{max-width:100%}"
)


@dataclass
class Page:
    """Blocks in order: ("heading" | "text", str), ("table", rows) with the head first, ("picture", file name that
    ends in .png or .jpg, caption, bytes)."""

    title: str
    blocks: list[tuple] = field(default_factory=list)

    def heading(self, text: str) -> None:
        self.blocks.append(("heading", text))

    def text(self, text: str) -> None:
        self.blocks.append(("text", text))

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.blocks.append(("table", [list(head), *map(list, rows)]))

    def picture(self, name: str, caption: str, data: bytes) -> None:
        self.blocks.append(("picture", name, caption, data))

    def markdown(self) -> str:
        parts = [f"# {self.title}"]
        for kind, *content in self.blocks:
            if kind == "heading":
                parts.append(f"## {content[0]}")
            elif kind == "text":
                parts.append(content[0])
            elif kind == "table":
                head, *rows = content[0]
                lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
                parts.append("\n".join(f"| {' | '.join(cells)} |" for cells in lines))
            else:
                parts.append(f"![{content[1]}]({content[0]})")
        return "\n\n".join(parts) + "\n"

    def html(self) -> str:
        parts = [f"<h1>{html.escape(self.title)}</h1>"]
        for kind, *content in self.blocks:
            if kind == "table":
                head, *rows = content[0]
                lines = [_cells("th", head), *(_cells("td", cells) for cells in rows)]
                parts.append(f"<table>{''.join(lines)}</table>")
            elif kind == "picture":
                data, caption = base64.b64encode(content[2]).decode(), html.escape(content[1])
                kind = "png" if content[0].endswith(".png") else "jpeg"
                parts.append(f'<p><img alt="{caption}" src="data:image/{kind};base64,{data}"><br>{caption}</p>')
            else:
                tag = "h2" if kind == "heading" else "p"
                parts.append(f"<{tag}>{html.escape(content[0])}</{tag}>")
        head = f"<title>{html.escape(self.title)}</title><style>{_STYLE}</style>"
        return (
            f'<!DOCTYPE html><html><head><meta charset="utf-8">{head}</head><body>{"".join(parts)}</body></html>\n'
        )

    def write(self, folder: Path, name: str) -> None:
        """NAME.md with its pictures beside it, and NAME.html that holds everything."""
        for kind, *content in self.blocks:
            if kind == "picture":
                with safe_write(folder / content[0]) as part:
                    part.write_bytes(content[2])
        for suffix, text in ((".md", self.markdown()), (".html", self.html())):
            with safe_write(folder / f"{name}{suffix}") as part:
                part.write_text(text, encoding="utf-8")


def _cells(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(c)}</{tag}>' for c in cells)}</tr>"


def interval(value: dict | None, digits: int = 2) -> str:
    """ "mean (low … high)" of interval.bootstrap."""
    if not value or value["mean"] is None:
        return "–"
    mean, low, high = (f"{value[key]:.{digits}f}" for key in ("mean", "low", "high"))
    return mean if low == high else f"{mean} ({low} … {high})"


def number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None or value != value else f"{value:.{digits}f}"

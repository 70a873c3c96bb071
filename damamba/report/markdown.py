"""Markdown of the results: tables and numbers, and the few forms that are used there as HTML."""

import re
from collections.abc import Iterable, Sequence
from html import escape


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
    """Lines of a table; all columns but the first `left` are aligned to the right."""
    marks = ["---"] * left + ["---:"] * (len(header) - left)
    return [f"| {' | '.join(cells)} |" for cells in (header, marks, *rows)]


def number(value: float | None, signed: bool = False, decimals: int = 3) -> str:
    """So many decimals with a real minus sign; a dash where undefined."""
    if value is None:
        return "–"
    return f"{round(value, decimals) + 0.0:{'+' if signed else ''}.{decimals}f}".replace("-", "−")  # no minus zero


def span(ends: Sequence[float | None], signed: bool = False) -> str:
    """An interval, or nothing where there is none."""
    return "" if None in ends else f"[{number(ends[0], signed)}, {number(ends[1], signed)}]"


def to_html(text: str, deepest: int = 3) -> str:
    """HTML of headings, paragraphs, quotes, lists, tables, `code` and **bold**.

    Args:
        text: Markdown.
        deepest: Level that the first-level heading takes; deeper ones follow.
    """
    blocks = [block.split("\n") for block in re.split(r"\n\s*\n", text.strip()) if block]
    return "\n".join(_block(lines, deepest) for lines in blocks)


def _block(lines: list[str], level: int) -> str:
    first = lines[0]
    if heading := re.match(r"(#+) (.*)", first):
        tag = f"h{min(level + len(heading[1]) - 1, 6)}"
        rest = f"\n{_block(lines[1:], level)}" if lines[1:] else ""
        return f"<{tag}>{_inline(heading[2])}</{tag}>{rest}"
    if first.startswith("|"):
        end = next((i for i, line in enumerate(lines) if not line.startswith("|")), len(lines))
        rest = f"\n{_block(lines[end:], level)}" if lines[end:] else ""
        return _table(lines[:end]) + rest
    if first.startswith("- "):
        items = "".join(f"<li>{_inline(line.removeprefix('- '))}</li>" for line in lines)
        return f"<ul>{items}</ul>"
    if first.startswith("> "):
        return f"<blockquote>{_inline(' '.join(line.removeprefix('> ') for line in lines))}</blockquote>"
    return f"<p>{_inline(' '.join(lines))}</p>"


def _table(lines: list[str]) -> str:
    header, marks, *rows = ([cell.strip() for cell in line[2:-2].split(" | ")] for line in lines)
    classes = [' class="number"' if mark.endswith(":") else "" for mark in marks]

    def row(cells: list[str], tag: str) -> str:
        tags = [tag if cell else "td" for cell in cells]  # an empty cell heads nothing
        inner = (f"<{t}{c}>{_inline(cell)}</{t}>" for cell, c, t in zip(cells, classes, tags, strict=True))
        return f"<tr>{''.join(inner)}</tr>"

    body = "\n".join(row(cells, "td") for cells in rows)
    named = f'class="scroll" tabindex="0" role="region" aria-label="Table: {escape(", ".join(filter(None, header)))}"'
    return f"<div {named}><table><thead>{row(header, 'th')}</thead>\n<tbody>{body}</tbody></table></div>"


def _inline(text: str) -> str:
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)

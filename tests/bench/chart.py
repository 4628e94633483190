"""The chart for the README, drawn from the results: chart.py RESULTS.json CHART.svg"""
import json
import sys
from xml.sax.saxutils import escape

# Panels: title, the metrics stacked in a bar, format of the sum
PANELS = [
    ("CPU per answer over UDP, µs", ("udp_system_us", "udp_user_us"), ".2f"),
    ("CPU per answer over TCP, pipelined, µs", ("pipelined_system_us", "pipelined_user_us"), ".2f"),
    ("User instructions per query", ("instructions",), ",.0f"),
    ("Memory, MB", ("pss_mb",), ",.0f"),
]
WIDTH, LEFT, RIGHT, BAR, GAP, HEAD = 720, 80, 90, 18, 6, 34
STYLE = """text{font:13px system-ui,sans-serif;fill:#1f2328}.t{font-weight:600}.n{text-anchor:end}
.s0{fill:#9aa7b8}.s1{fill:#57677d}.o0{fill:#d59a4f}.o1{fill:#a8641a}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s0{fill:#6b7a8f}.s1{fill:#a9b8cc}
.o0{fill:#b9803a}.o1{fill:#f0b870}}"""


def values_of(server, metrics):
    """Medians of the parts of a bar; None when one is missing."""
    values = []
    for metric in metrics:
        known = sorted(row[metric] for row in server["rounds"] if row.get(metric) is not None)
        if not known:
            return None
        values.append((known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2)
    return values


def panel(title, metrics, form, results, top):
    """The drawing of one panel and where the next one begins."""
    bars = [(name, values) for name, server in results["servers"].items()
            if (values := values_of(server, metrics)) and sum(values) > 0]
    if not bars:
        return [], top
    scale = (WIDTH - LEFT - RIGHT) / max(sum(values) for _, values in bars)
    out = [f'<text class="t" x="{LEFT}" y="{top + 20}">{escape(title)}</text>']
    top += HEAD
    for name, values in bars:
        left, color = float(LEFT), "o" if name == results["base"] else "s"
        out.append(f'<text class="n" x="{LEFT - 8}" y="{top + 14}">{escape(name)}</text>')
        for i, value in enumerate(values, 2 - len(values)):
            out.append(f'<rect class="{color}{i}" x="{left:.1f}" y="{top}" width="{value * scale:.1f}" '
                       f'height="{BAR}"/>')
            left += value * scale
        out.append(f'<text x="{left + 6:.1f}" y="{top + 14}">{sum(values):{form}}</text>')
        top += BAR + GAP
    return out, top


def draw(results):
    body, top = [], 0
    for title, metrics, form in PANELS:
        lines, top = panel(title, metrics, form, results, top)
        body += lines
    note = (f"{results['dataset']['instances']:,} instances; one worker on one core; medians of "
            f"{results['options']['rounds']} rounds; pale: kernel, strong: user space")
    body.append(f'<text x="{LEFT}" y="{top + 22}">{escape(note)}</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + 34}" width="{WIDTH}" '
            f'height="{top + 34}" role="img"><title>empusa and other name servers</title>'
            f"<style>{STYLE}</style>\n" + "\n".join(body) + "\n</svg>\n")


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as source, open(sys.argv[2], "w", encoding="utf-8") as target:
        target.write(draw(json.load(source)))

"""The chart for the README: CPU per answer of each server, for each size. On a ground of its own, so that it reads
on white and on dark pages."""
from xml.sax.saxutils import escape

TITLE = "CPU time per answer over UDP, in microseconds (CPU seconds per million answers)"
TOTAL, PARTS = "udp_cpu_us", ("udp_system_us", "udp_user_us")
NAMES = {"nsd": "NSD", "knot": "Knot DNS", "coredns": "CoreDNS", "echo": "echo (the floor)"}
WIDTH, LEFT, RIGHT, BAR, GAP, HEAD = 720, 150, 70, 18, 6, 34
STYLE = """text{font:13px sans-serif;fill:#1f2328}.t{font-weight:bold}.n{text-anchor:end}.q{fill:#59636e;font-size:12px}
.g{fill:#fff;stroke:#d1d9e0}.s0{fill:#9aa7b8}.s1{fill:#57677d}.o0{fill:#d59a4f}.o1{fill:#a8641a}"""


def bars_of(document):
    """(name, system, user) of each server that was measured: the median of the whole, cut as those of its parts."""
    for name, server in document["servers"].items():
        medians = server["median"]
        if all(metric in medians for metric in (TOTAL, *PARTS)):
            parts = [medians[metric] for metric in PARTS]
            whole = sum(parts) or 1  # a moment too short for the clock has no parts
            yield name, *(medians[TOTAL] * part / whole for part in parts)


def bar(name, values, scale, top):
    color, left = "o" if name == "empusa" else "s", float(LEFT)
    out = [f'<text class="n" x="{LEFT - 8}" y="{top + 14}">{escape(NAMES.get(name, name))}</text>']
    for i, value in enumerate(values):
        out.append(f'<rect class="{color}{i}" x="{left:.1f}" y="{top}" width="{value * scale:.1f}" height="{BAR}"/>')
        left += value * scale
    out.append(f'<text x="{left + 6:.1f}" y="{top + 14}">{sum(values):.2f}</text>')
    return out


def legend(top):
    out, left = [], LEFT
    for first, second, text in (("o0", "s0", "kernel"), ("o1", "s1", "user space")):
        out += [f'<rect class="{first}" x="{left}" y="{top}" width="12" height="12"/>',
                f'<rect class="{second}" x="{left + 14}" y="{top}" width="12" height="12"/>',
                f'<text class="q" x="{left + 32}" y="{top + 11}">{text}</text>']
        left += 110
    return out


def draw(documents):
    """All panels at one scale. Empty without figures."""
    documents = sorted(documents, key=lambda document: document["dataset"]["instances"])
    panels = [(document, bars) for document in documents if (bars := list(bars_of(document)))]
    if not panels:
        return ""
    scale = (WIDTH - LEFT - RIGHT) / max(sum(values) for _, bars in panels for _, *values in bars)
    body, top = [f'<text class="t" x="20" y="28">{escape(TITLE)}</text>', *legend(42)], 56
    for document, bars in panels:
        body.append(f'<text class="t" x="{LEFT}" y="{top + 24}">{document["dataset"]["instances"]:,} instances</text>')
        top += HEAD
        for name, *values in bars:
            body += bar(name, values, scale, top)
            top += BAR + GAP
    machine = panels[-1][0]["machine"]
    body.append(f'<text class="q" x="20" y="{top + 24}">'
                + escape(f"One worker on one core of {machine['cpu']}, Linux {machine['kernel']}; medians") + "</text>")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + 40}" width="{WIDTH}" '
            f'height="{top + 40}" role="img"><title>{escape(TITLE)}</title>\n<style>{STYLE}</style>\n'
            f'<rect class="g" x="0.5" y="0.5" width="{WIDTH - 1}" height="{top + 39}" rx="6"/>\n'
            + "\n".join(body) + "\n</svg>\n")

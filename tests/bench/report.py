"""What was measured, as a table for people and JSON for machines."""
import statistics

# name, title, format, whether its ratio to the base server is shown
METRICS = [
    ("udp_cpu_us", "UDP closed loop: CPU s per million answers", ".2f", True),
    ("udp_user_us", "- of it user", ".2f", True),
    ("udp_system_us", "- of it system", ".2f", True),
    ("udp_qps", "- answers/s", ",.0f", True),
    ("udp_load_us", "- the load generator's own CPU", ".2f", False),
    ("rate_cpu_us", "UDP at a fixed rate: CPU s per million", ".2f", True),
    ("rate_p50_us", "- latency p50, us", ".1f", True),
    ("rate_p99_us", "- latency p99, us", ".1f", True),
    ("rate_lost", "- lost", ",.0f", False),
    ("pipelined_cpu_us", "TCP pipelined: CPU s per million", ".2f", True),
    ("pipelined_qps", "- answers/s", ",.0f", True),
    ("pipelined_load_us", "- the load generator's own CPU", ".2f", False),
    ("roundtrip_cpu_us", "TCP one query per round trip: CPU s per million", ".2f", True),
    ("roundtrip_qps", "- answers/s", ",.0f", True),
    ("instructions", "user instructions per query", ",.0f", True),
    ("pss_mb", "memory (PSS), MB", ",.1f", True),
    ("load_s", "load, s", ".3f", True),
    ("put_p50_ms", "change sent to right answer: p50, ms", ".2f", True),
    ("put_p99_ms", "- p99, ms", ".2f", True),
    ("ack_p50_ms", "change acknowledged to right answer: p50, ms", ".2f", False),
    ("ack_p99_ms", "- p99, ms", ".2f", False),
    ("changes_per_s", "sustained changes/s", ",.0f", True),
    ("changes_p50_us", "- query latency p50 meanwhile, us", ".1f", True),
    ("changes_p99_us", "- query latency p99 meanwhile, us", ".1f", True),
    ("changes_lost", "- queries lost meanwhile", ",.0f", False),
]


class Results:
    """Per server and metric, the values of the rounds (None: not measured in that round)."""

    def __init__(self, names):
        self.rounds, self.notes = {name: [] for name in names}, []
        self.base = "empusa" if "empusa" in names else next(iter(names))

    def add(self, name, number, values):
        rows = self.rounds[name]
        while len(rows) <= number:
            rows.append({})
        rows[number].update(values)

    def median(self, name, metric):
        values = [row[metric] for row in self.rounds[name] if row.get(metric) is not None]
        return statistics.median(values) if values else None

    def ratio(self, name, metric):
        """How many times the base server's value: the median of the rounds' ratios, since what moves the
        machine moves all servers of a round."""
        ratios = [row[metric] / base[metric] for row, base in zip(self.rounds[name], self.rounds[self.base])
                  if row.get(metric) is not None and base.get(metric)]
        return statistics.median(ratios) if ratios else None

    def table(self):
        """Markdown; empty without figures."""
        names = list(self.rounds)
        rows = [[f"median (times {self.base})", *names]]
        for metric, title, form, has_ratio in METRICS:
            cells = [self.cell(name, metric, form, has_ratio) for name in names]
            if any(cell != "-" for cell in cells):
                rows.append([title, *cells])
        if len(rows) == 1:
            return ""
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = ["| " + " | ".join([row[0].ljust(widths[0]),
                                    *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]) + " |"
                 for row in rows]
        lines.insert(1, "|" + "|".join("-" * (width + 1) + (":" if i else "-")
                                       for i, width in enumerate(widths)) + "|")
        return "\n".join(lines)

    def cell(self, name, metric, form, has_ratio):
        value, ratio = self.median(name, metric), self.ratio(name, metric)
        if value is None:
            return "-"
        text = format(value, form)
        return f"{text} ({ratio:.2f})" if has_ratio and ratio is not None and name != self.base else text

    def document(self):
        """For JSON."""
        return {"base": self.base, "notes": self.notes, "servers": {
            name: {"rounds": rows,
                   "median": {metric: self.median(name, metric) for metric, *_ in METRICS},
                   "ratio": {metric: self.ratio(name, metric) for metric, *_ in METRICS}}
            for name, rows in self.rounds.items()}}


def micro_table(rows):
    lines = ["| answer() alone | ns | instructions | octets |", "|---|---:|---:|---:|"]
    for kind, row in rows.items():
        count = f"{row['instructions']:,.0f}" if "instructions" in row else "-"
        lines.append(f"| {kind} | {row['ns']:.1f} | {count} | {row['octets']:.0f} |")
    return "\n".join(lines)

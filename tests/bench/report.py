"""What was measured, as tables for people and JSON for machines."""
import statistics
import typing

PEERS = {"echo": "echo", "nsd": "NSD", "knot": "Knot", "coredns": "CoreDNS"}


class Metric(typing.NamedTuple):
    """name, title, format, whether ratios to the peers mean something. A title with "- " goes with the one above."""
    name: str
    title: str
    form: str
    has_ratio: bool = True


def closed_loop(prefix, title):
    return [Metric(f"{prefix}_cpu_us", f"{title}: CPU s per million answers", ".2f"),
            Metric(f"{prefix}_user_us", "- of it user", ".2f"),
            Metric(f"{prefix}_system_us", "- of it system", ".2f"),
            Metric(f"{prefix}_qps", "- answers/s", ",.0f"),
            Metric(f"{prefix}_load_us", "- the load generator's own CPU", ".2f", False)]


def latency(prefix, when):
    return [Metric(f"{prefix}_p99_us", f"{when}: latency p99, us", ",.0f"),
            Metric(f"{prefix}_max_us", "- worst, us", ",.0f", False),
            Metric(f"{prefix}_lost", "- queries lost", ",.0f", False)]


def burst(pace, when):
    rows = []
    for verb, whole in (("arrive", "visible"), ("leave", "gone")):
        rows += latency(f"{verb}_{pace}", f"10,000 instances {verb}, {when}")
        rows += [Metric(f"{verb}_{pace}_s", f"- until all are {whole}, s", ".2f", False),
                 Metric(f"{verb}_{pace}_late_ms", "- of it after etcd's last acknowledgement, ms", ".1f", False)]
    return rows


METRICS = [
    *closed_loop("udp", "UDP closed loop"),
    Metric("rate_cpu_us", "UDP at a fixed rate: CPU s per million answers", ".2f"),
    Metric("rate_p50_us", "- latency p50, us", ".1f"),
    Metric("rate_p99_us", "- latency p99, us", ".1f"),
    Metric("rate_p999_us", "- latency p99.9, us", ",.0f", False),
    Metric("rate_max_us", "- worst, us", ",.0f", False),
    Metric("rate_lost", "- queries lost", ",.0f", False),
    *closed_loop("pipelined", "TCP pipelined"),
    *closed_loop("roundtrip", "TCP one query per round trip"),
    Metric("instructions", "user instructions per query", ",.0f"),
    Metric("pss_mb", "memory (PSS), MB", ",.1f"),
    Metric("load_s", "load, s", ".3f"),
    Metric("curl_s", "- curl reads the same range, s", ".3f", False),
    Metric("load_ratio", "- load / curl", ".2f", False),
    Metric("put_p50_ms", "change sent to right answer: p50, ms", ".2f"),
    Metric("put_p99_ms", "- p99, ms", ".2f"),
    Metric("ack_p50_ms", "change acknowledged to right answer: p50, ms", ".2f", False),
    Metric("ack_p99_ms", "- p99, ms", ".2f", False),
    Metric("changes_per_s", "sustained changes/s", ",.0f"),
    *latency("changes", "meanwhile"),
    *burst("fast", "queries at the fixed rate"),
    *burst("slow", "at a tenth of it"),
]
MICRO = [Metric("ns", "ns", ",.1f"), Metric("instructions", "instructions", ",.0f"), Metric("octets", "octets", ",.0f")]
MICRO_TITLES = {"change": "changed entry, commits of 1", "change-128": "changed entry, commits of 128",
                "fill": "heap per instance"}

# What is asked for: by metric, whether at most or at least, how much, of which peer's value (None: as it is)
TARGETS = {
    "pipelined_cpu_us": [("<=", 1.2, None)], "roundtrip_cpu_us": [("<=", 1.20, "echo")],
    "instructions": [("<=", 800, None)], "pss_mb": [("<=", 400, None)], "load_ratio": [("<=", 1.3, None)],
    "ack_p50_ms": [("<=", 0.5, None)], "ack_p99_ms": [("<=", 5, None)],
}
SIZE_TARGETS = {
    "100k": {"udp_cpu_us": [("<=", 1.10, "echo"), ("<=", 0.60, "nsd"), ("<=", 0.60, "knot")],
             "udp_qps": [(">=", 1.8, "nsd"), (">=", 1.8, "knot")]},
    "1m": {"udp_cpu_us": [("<=", 1.20, "echo"), ("<=", 0.45, "nsd"), ("<=", 0.45, "knot")]},
}
MICRO_TARGETS = {("change", "ns"): 2000}

# What the README shows of each size, and what it calls it
SHOWN = {
    "udp_cpu_us": "UDP: CPU s per million answers", "udp_qps": "UDP: answers/s on one core",
    "rate_p99_us": "UDP at 20,000/s: latency p99, us",
    "pipelined_cpu_us": "TCP, pipelined: CPU s per million answers",
    "roundtrip_cpu_us": "TCP, one at a time: CPU s per million answers", "instructions": "user instructions per query",
    "pss_mb": "memory, MB", "load_s": "load, s", "load_ratio": "load, times curl's reading the range",
    "ack_p50_ms": "change acknowledged to right answer, p50, ms", "changes_per_s": "sustained changes/s",
    "changes_p99_us": "- query latency p99 meanwhile, us",
    "arrive_fast_s": "10,000 instances arrive at once: all visible, s",
    "arrive_fast_max_us": "- worst query latency meanwhile, us",
    "leave_fast_s": "10,000 instances leave at once: all gone, s",
    "leave_fast_max_us": "- worst query latency meanwhile, us",
}


def markdown(rows):
    """Rows of cells, the head first; all but the first column to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join([row[0].ljust(widths[0]),
                                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]) + " |"
             for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 1) + (":" if i else "-") for i, width in enumerate(widths)) + "|")
    return "\n".join(lines)


def text_of(value, form):
    return "" if value is None else format(value, form)


def verdict(value, how, limit, form, unit=""):
    if value is None:
        return ""
    is_met = value <= limit if how == "<=" else value >= limit
    return f"{how} {format(limit, form)}{unit}: {'met' if is_met else 'missed'}"


class Results:
    """Per server and metric, the values of the rounds (None: not measured in that round)."""

    def __init__(self, names, metrics=None, size=None):
        self.metrics = metrics or METRICS
        self.targets = TARGETS | SIZE_TARGETS.get(size, {})
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
        """How many times this server's value the base server's is: the median of the rounds' ratios, since
        what moves the machine moves all servers of a round."""
        ratios = [base[metric] / row[metric] for row, base in zip(self.rounds[name], self.rounds[self.base])
                  if row.get(metric) and base.get(metric) is not None]
        return statistics.median(ratios) if ratios else None

    def target(self, metric):
        if self.base != "empusa":
            return ""
        verdicts = [verdict(self.ratio(peer, metric.name), how, limit, ".2f", f" x {PEERS[peer]}") if peer
                    else verdict(self.median(self.base, metric.name), how, limit, metric.form)
                    for how, limit, peer in self.targets.get(metric.name, []) if not peer or peer in self.rounds]
        return ", ".join(filter(None, verdicts))

    def table(self):
        """Markdown; empty without figures."""
        peers = [name for name in self.rounds if name != self.base]
        rows = []
        for metric in self.metrics:
            values = [text_of(self.median(name, metric.name), metric.form) for name in (self.base, *peers)]
            ratios = [text_of(self.ratio(name, metric.name), ".2f") if metric.has_ratio else "" for name in peers]
            if any(values):
                rows.append([metric.title, *values, *ratios, self.target(metric)])
        if not rows:
            return ""
        head = ["medians", self.base, *peers, *(f"{self.base} / {name}" for name in peers), "target"]
        return markdown(without_empty_columns([head, *rows]))

    def document(self):
        """Medians and ratios by server, without the rounds."""
        return {name: {"median": {metric.name: self.median(name, metric.name) for metric in self.metrics
                                  if self.median(name, metric.name) is not None},
                       "ratio": {metric.name: self.ratio(name, metric.name) for metric in self.metrics
                                 if name != self.base and self.ratio(name, metric.name) is not None}}
                for name in self.rounds}


def without_empty_columns(rows):
    kept = [i for i in range(len(rows[0])) if any(row[i] for row in rows[1:])]
    return [[row[i] for i in kept] for row in rows]


def micro_table(rows):
    table = [["answer() alone, and changes", *(metric.title for metric in MICRO), "target"]]
    for kind, row in rows.items():
        targets = [verdict(row[metric.name], "<=", MICRO_TARGETS[kind, metric.name], ",", f" {metric.title}")
                   for metric in MICRO if (kind, metric.name) in MICRO_TARGETS]
        table.append([MICRO_TITLES.get(kind, kind), *(text_of(row.get(metric.name), metric.form) for metric in MICRO),
                      " ".join(targets)])
    return markdown(without_empty_columns(table))


def sizes_table(documents):
    """One table of several results, for the README: the peers' figures, and how many times theirs empusa's are."""
    documents = sorted(documents, key=lambda document: document["dataset"]["instances"])
    peers = [name for name in PEERS if any(name in document["servers"] for document in documents)]
    table = [["", "instances", "empusa", *(PEERS[name] for name in peers)]]
    metrics = {metric.name: metric for metric in METRICS}
    for name, title in SHOWN.items():
        rows = [[f"{document['dataset']['instances']:,}", *cells] for document in documents
                if (cells := sizes_cells(document["servers"], metrics[name], peers))[0]]
        table += [["" if i else title, *row] for i, row in enumerate(rows)]
    return markdown(table)


def sizes_cells(results, metric, peers):
    cells = [text_of(results.get("empusa", {"median": {}})["median"].get(metric.name), metric.form)]
    for name in peers:
        figures = results.get(name, {"median": {}, "ratio": {}})
        value, ratio = figures["median"].get(metric.name), figures["ratio"].get(metric.name)
        has_ratio = metric.has_ratio and ratio is not None
        cells.append(text_of(value, metric.form) + (f" ({ratio:.2f})" if has_ratio else ""))
    return cells

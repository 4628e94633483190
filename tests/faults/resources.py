"""What a process holds: its descriptors and its memory, and what it may hold of them after many faults."""

import os

from process import wait_until

RSS_SLACK_KB = 4096  # what an allocator keeps; a leak is more after the faults of a test
DESCRIPTOR_SLACK = 4  # connections to etcd that are kept: of a second watch, of probes, of reads


def descriptors(process):
    """{number: what it is} of the open ones."""
    found = {}
    directory = f"/proc/{process.pid}/fd"
    for number in os.listdir(directory):
        try:
            found[int(number)] = os.readlink(os.path.join(directory, number))
        except FileNotFoundError:
            pass
    return found


def rss_kb(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


class Holdings:
    """Of a process, once it has lived through the first fault, when all that is made on demand is there."""

    def __init__(self, process):
        self.process = process
        self.descriptors, self.rss_kb = len(descriptors(process)), rss_kb(process)

    def judge(self, verdict, fault):
        """That it holds no more than then, now that all is well again: connections may be a moment in closing."""
        try:
            wait_until(lambda: len(descriptors(self.process)) <= self.descriptors + DESCRIPTOR_SLACK, 15)
            extra = {}
        except AssertionError:
            extra = descriptors(self.process)
        grown = rss_kb(self.process) - self.rss_kb
        verdict.add(fault, "no-leak", not extra and grown <= RSS_SLACK_KB,
                    f"{len(descriptors(self.process)) - self.descriptors:+} descriptors {extra or ''}, {grown:+} kB")

"""What must hold during a fault and after it, and the rows that say whether it did.

never-denied   what etcd may hold is never answered with NXDOMAIN or NODATA, nor left out of a set
right          answers are as etcd holds it within 2 s (times EMPUSA_PATIENCE) of etcd being able to answer, and nobody is
               ever answered what etcd cannot have held
answered       every query is answered, and none with SERVFAIL, within --stale-limit
once           a keeper that lives is registered, exactly once
gone           what a dead keeper registered is gone after its TTL and etcd's slack
no-leak        neither descriptors nor memory nor leases grow with the number of faults
"""

from process import PATIENCE

INVARIANTS = ("never-denied", "right", "answered", "once", "gone", "no-leak")
COLUMNS = ["test", "fault", "invariant", "result", "recovery_s", "detail"]
RIGHT_S = 2.0


class Verdict:
    def __init__(self, test):
        self.test, self.rows, self.broken = test, [], []

    def add(self, fault, invariant, holds, detail="", recovery_s=None):
        """One row; what does not hold fails the test at its end, when all is judged."""
        assert invariant in INVARIANTS, invariant
        detail = " ".join(str(detail).split())
        row = [self.test, fault, invariant, "held" if holds else "BROKEN",
               "" if recovery_s is None else f"{recovery_s:.2f}", detail]
        self.rows.append(row)
        if not holds:
            self.broken.append(": ".join(row[1:3] + [detail]))
        return holds

    def judge(self, fault, asker, since=None, within=RIGHT_S):
        """The invariants of answers, over all that `asker` got. since: when etcd was able to answer again."""
        asker.stop()
        faults = asker.faults(within * PATIENCE)
        for invariant in ("never-denied", "answered"):
            found = [text for kind, text in faults if kind == invariant]
            self.add(fault, invariant, not found, f"{len(found)} of {asker.count}: {found[0]}" if found else
                     f"{asker.count} answers")
        wrong = [text for kind, text in faults if kind == "right"]
        recovery = None if since is None else asker.recovery(since)
        late = recovery is not None and recovery > within * PATIENCE
        detail = f"{len(wrong)} of {asker.count}: {wrong[0]}" if wrong else "late" if late else ""
        self.add(fault, "right", not wrong and not late, detail, recovery)

    def check(self):
        broken, self.broken = self.broken, []
        assert not broken, "\n".join(broken)

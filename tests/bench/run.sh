#!/bin/sh
# run.sh [OPTION...] - measure empusa, an echo as the floor, NSD and Knot with the same zone, in turn.
#
#   --size 1k|100k|1m          instances (default 1k)
#   --against LIST             peers, of echo,nsd,knot,coredns (default echo,nsd,knot)
#   --only LIST                steps, of udp,rate,tcp,load,changes,burst,cli,instructions,micro (default all)
#   --rounds N --seconds S     of each measurement (default 3 rounds of 2 s)
#   --json FILE --svg FILE     write the results with each round's, and a chart
#   --publish                  write the medians to results-SIZE.json and chart.svg here, for the README
#   --table FILE...            measure nothing: print one table of such results, for the README
#   --build DIR                where empusa was built (default build); --peers-only does without it
#   --help                     all options
#
# Each server has one worker and core 0, the load generator core 1, etcd what is left. The peers load what
# `empusa zone` prints. The table shows medians, and how many times each peer's value empusa's is (the median
# of the ratios within a round). Everything runs on loopback, in a temporary directory, and has ended when
# this ends.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

sh "$here/../../cli/packages.sh" build run bench
exec /usr/bin/python3 -B "$here/bench.py" "$@"

#!/bin/bash
# Submits a run of many homes to Slurm: an array of shards, and the merge once all of them are whole.
# What Slurm itself needs (partition, account, time limit, memory) it takes from its SBATCH_* variables.
set -euo pipefail

usage() {
  cat <<'END'
submit.sh --scenario NAME|FILE --homes N --shards N --output DIR [options] [-- FLAG...]

  --scenario NAME|FILE  a built-in scenario, or a YAML file that every node sees
  --homes N             homes of the whole run
  --shards N            tasks of the array; no more than homes (Slurm's MaxArraySize bounds it: 1000 unless raised)
  --output DIR          on a file system that all nodes share; holds shards, logs and, at the end, DIR/dataset
  --duration D          how long each home is lived, as 90s, 10m, 1d (default 1d)
  --seed N              drawn and printed if not given
  --binary FILE         the program, where every node sees it (default: glasshouse in PATH)
  --workers N           homes that a task lives at once, and its CPUs (default 1)
  --requeues N          how often a task that was killed puts itself back into the queue (default 3)
  -- FLAG...            further flags of `glasshouse generate`: --no-pcap, --only-wan, --snaplen B, --time-scale X

The same command again goes on where a run stopped: shards that are whole are left alone. It prints two job numbers.
END
}
fail() { echo "submit.sh: $*" >&2; echo "See submit.sh --help." >&2; exit 2; }

scenario='' homes='' shards='' output='' duration=1d seed='' binary=glasshouse workers=1 requeues=3
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --) shift; break ;;
    --scenario | --homes | --shards | --output | --duration | --seed | --binary | --workers | --requeues)
      [ $# -ge 2 ] || fail "$1 needs a value"
      printf -v "${1#--}" %s "$2"
      shift 2
      ;;
    *) fail "$1: no such option; flags of generate go behind --" ;;
  esac
done
for needed in scenario homes shards output; do [ -n "${!needed}" ] || fail "--$needed is missing"; done
for number in homes shards workers; do
  [[ ${!number} =~ ^[1-9][0-9]*$ ]] || fail "--$number ${!number}: a number from 1 on"
done
[[ $requeues =~ ^[0-9]+$ ]] || fail "--requeues $requeues: a number from 0 on"
[ "$shards" -le "$homes" ] || fail "--shards $shards: no more than the $homes homes"
binary=$(command -v -- "$binary") || fail "--binary: not found, or not a program"
binary=$(realpath -- "$binary")
if [ -f "$scenario" ]; then scenario=$(realpath -- "$scenario"); fi
if [ -z "$seed" ]; then # one seed for all tasks: each would draw its own
  seed=$(($(od -An -N4 -tu4 /dev/urandom)))
fi

here=$(dirname -- "$(realpath -- "$0")")
mkdir -p -- "$output/logs"
output=$(realpath -- "$output")

array=$(sbatch --parsable --array="1-$shards" --cpus-per-task="$workers" --output="$output/logs/shard-%a.log" \
  "$here/shard.sh" "$shards" "$requeues" "$output" \
  "$binary" generate "$scenario" --homes "$homes" --duration "$duration" --seed "$seed" --workers "$workers" "$@")
merge=$(sbatch --parsable --dependency="afterok:${array%%;*}" --kill-on-invalid-dep=yes --output="$output/logs/merge.log" \
  "$here/merge.sh" "$shards" "$output" "$binary")

echo "shards ${array%%;*} merge ${merge%%;*} seed $seed"
echo "data set, once both are done: $output/dataset" >&2

#!/bin/bash
# A task of the array: it makes shard I of N, or goes on with it. A killed program, or a time limit that comes near, puts the
# task back into the queue, so that the merge, which waits for the array, still waits; the homes that are whole are kept.
#SBATCH --job-name=glasshouse-shard
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120
set -u

of=$1 requeues=$2 output=$3 # behind them: the program, `generate`, and its flags
shift 3
shard=$SLURM_ARRAY_TASK_ID # the number of tasks is given, for a part of an array may be submitted by hand
id="${SLURM_ARRAY_JOB_ID}_$shard"
echo "shard $shard/$of, start $((${SLURM_RESTART_COUNT:-0} + 1)), on ${SLURMD_NODENAME:-?}"

out_of_time=0
"$@" --shard "$shard/$of" -o "$output/shard-$shard" --json &
program=$!
trap 'caught=1 out_of_time=1; kill -INT $program' USR1
trap 'caught=1; kill -INT $program' TERM
until caught=0; wait $program; code=$?; [ $caught = 0 ]; do :; done # a signal cuts the wait short

if [ $out_of_time = 1 ] && [ $code != 0 ] || [ $code = 137 ]; then # 128 + SIGKILL
  echo "shard $shard/$of: stopped (exit $code), requeued ${SLURM_RESTART_COUNT:-0} of $requeues times"
  if [ "${SLURM_RESTART_COUNT:-0}" -lt "$requeues" ]; then
    trap - TERM
    scontrol requeue "$id" && sleep 60 # Slurm ends this script, and starts it again some two minutes later
  fi
fi
exit "$code"

#!/bin/bash
# Joins the shards. The data set gets its name when it is whole, so a merge that was killed leaves nothing that looks like one.
#SBATCH --job-name=glasshouse-merge
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

of=$1 output=$2 binary=$3
if [ -e "$output/dataset" ]; then
  echo "$output/dataset is there already"
  exit 0
fi
shards=()
for ((i = 1; i <= of; i++)); do shards+=("$output/shard-$i"); done
part="$output/.dataset-$SLURM_JOB_ID"
rm -rf -- "$part"
trap 'rm -rf -- "$part"' EXIT
"$binary" dataset merge "${shards[@]}" -o "$part" --json
mv -T -- "$part" "$output/dataset"

// Package scaleout holds what lets existing engines make datasets on many machines: scripts for Slurm in slurm/, manifests
// for Kubernetes in kubernetes/. There is no Go code in it but its tests: `glasshouse generate --shard I/N` is a pure
// function of scenario, seed and index, goes on with what it finds, and `glasshouse dataset merge` joins what it made, so an
// engine has only to start N programs, start again those that died, and start one more behind them.
package scaleout

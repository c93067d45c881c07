// Package sweep stress-tests an attacker: it simulates homes in which one or several parameters are varied (number of
// devices and phones, how much these are used, loss, delay, path), and reports how much of the traffic is labelled correctly at each
// point of that grid.
//
//	axes ─▶ points ─▶ homes of a point (plan.go) ─▶ simulated, packets sampled (live.go) ─▶ attackers trained and scored (judge.go)
//	                                                                  ─▶ a program of the user's as well (record.go, programs.go)
//	                                                                  ─▶ compared in pairs of homes (result.go) ─▶ table, CSV, SVG
//
// What is not varied is held fixed, so that points can be compared:
//   - The attacker is trained anew at each point, on homes of that point, and scored on others.
//   - The classes are the same everywhere: the target devices, and "other" for whatever else there is.
//   - Each class has the same number of training packets at each point. Names of remote endpoints come from the same packets.
//   - Home number i has the same people, internet connection and target devices everywhere, which do the same at the same scripted
//     times: points differ in what goes on around the targets.
//
// A point's homes all have exactly the number of devices asked for. Where that are fewer than there are targets, several homes
// with one family's worth of seeds share the targets out. Nothing but an attacker's features is kept of a packet, so memory does not grow with the homes' length;
// what programs are given is in files.
// Called by the command line; one sweep uses several goroutines, and its result depends on none of them.
package sweep

// Package sweep stress-tests an attacker: it lives homes in which one or several things are varied (how many devices, how many
// phones, how busy they are, loss, delay, path), and tells how much of the traffic is labelled rightly at each point of that grid.
//
//	axes ─▶ points ─▶ homes of a point (plan.go) ─▶ lived, packets sampled (live.go) ─▶ attackers trained and scored (judge.go)
//	                                                                  ─▶ somebody's own program asked, too (record.go, programs.go)
//	                                                                  ─▶ compared in pairs of homes (result.go) ─▶ table, CSV, SVG
//
// What is not varied is held fixed, so that points can be compared:
//   - The attacker is trained anew at each point, on homes of that point, and scored on others.
//   - The classes are the same everywhere: the target devices, and "other" for whatever else there is.
//   - Each class has the same number of packets to learn from, at each point. Names of far ends are learned from the same packets.
//   - Home number i has the same people, internet connection and target devices everywhere, which do the same at the same scripted
//     times: points differ in what goes on around the targets.
//
// A point's homes all have exactly the number of devices asked for. Where that are fewer than there are targets, several homes
// with one family's worth of seeds share the targets out. Nothing but an attacker's features is kept of a packet, so memory does not grow with the homes' length;
// what programs are given is in files.
// Called by the command line; one sweep uses several goroutines, and its result depends on none of them.
package sweep

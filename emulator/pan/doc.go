// Package pan models the radio traffic between a hub and its kits: what a sniffer beside the hub receives of Zigbee and of Bluetooth
// Low Energy. Both worlds use it, and it is pure: frames come from the units' seeds and from the script, at script times, so equal
// homes have equal radio traffic whatever the network does.
//
//	New       takes the home's units, and where frames go
//	Event     is told of each activity of the script that a kit reported, LeadTime or more before it happens
//	Advance   gives all frames up to a time, in its order
//
// Zigbee: sleepy end devices that joined before the capture; attribute reports (ZCL) in APS and NWK frames under the network
// key (AES-CCM*, level 5), MAC acknowledgements, the poll for what the parent holds, the coordinator's link status. Bluetooth:
// advertisements with MiBeacon service data under a bind key (AES-CCM), from resolvable private addresses that change every
// 15 minutes. Not modelled: joining, collisions, retransmissions, frames out of range, Zigbee routers, connections.
package pan

package devicestest

// Tabled is a profile of tests.
const Tabled = `
device: box
about: a box with tables
kind: iot
category: hub
oui: "00:11:22"
wifi: {doze: [0s, 100ms, 400ms]}
services:
  - name: api
    host: api.k.io
    port: 443
    transport: tcp
    cloud: k
    lasting: true
    login: {up: 20, down: 20}
    reply: {latency: [1ms, 2ms, 4ms, 50ms], level: [0s, 1s]}
    basis: assumed
    source: s
activities:
  - name: beat
    trigger: timer
    every: 60s
    jitter: [-2ms, 0s, 0s, 1ms, 20ms]
    basis: assumed
    source: s
    steps:
      - service: api
        messages: [{up: 20}, {down: 20}, {up: 30, wait: [10ms, 20ms, 80ms]}]
`

// Varied is a profile of tests.
const Varied = `
device: box
about: a box whose line begins with a greeting, and whose dialogues vary
kind: iot
category: hub
oui: "00:11:22"
services:
  - name: api
    host: api.k.io
    port: 443
    transport: tcp
    cloud: k
    lasting: true
    login: {messages: [{down: 29, wait: 5ms}, {up: 106, wait: [10ms, 20ms, 80ms]}, {variants: [{weight: 3, messages: [{down: 45}]}, {messages: []}]}]}
    basis: assumed
    source: s
activities:
  - name: reopen
    trigger: timer
    every: 10m
    basis: assumed
    source: s
    steps: [{service: api, op: reconnect}]
  - name: beat
    trigger: timer
    every: 60s
    phase: [1s, 2s, 40s]
    restarted_by: reopen
    basis: assumed
    source: s
    steps: [{service: api, messages: [{variants: [{weight: 9, messages: [{up: 20}]}, {weight: 1, messages: [{up: 30}, {down: 30}]}]}]}]
  - name: report
    trigger: timer
    gaps: [100s, 200s]
    restarted_by: reopen
    basis: assumed
    source: s
    steps: [{service: api, messages: [{up: 50}]}]
`

// Chained is a profile of tests.
const Chained = `
device: box
about: a box whose beats are late in company
kind: iot
category: hub
oui: "00:11:22"
services: [{name: api, host: api.k.io, port: 443, transport: tcp, cloud: k, lasting: true, login: {up: 20, down: 20}, basis: assumed, source: s}]
activities:
  - name: beat
    trigger: timer
    every: 60s
    jitter: {table: [0s, 0s, 1s, 2s], next: [[9, 1, 0], [5, 5, 0], [1, 0, 9]]}
    basis: assumed
    source: s
    steps:
      - service: api
        messages: [{up: 20, wait: {table: [0s, 1ms, 1s], next: [[0, 1], [1, 0]]}, repeat: 6}]
  - name: report
    trigger: timer
    gaps: {table: [10s, 10s, 90s], next: [[9, 1], [1, 9]]}
    basis: assumed
    source: s
    steps: [{service: api, messages: [{up: 50}]}]
`

// Slipping is a profile of tests.
const Slipping = `
device: box
about: a box whose grid slips
kind: iot
category: hub
oui: "00:11:22"
services: [{name: api, host: api.k.io, port: 443, transport: tcp, cloud: k, lasting: true, login: {up: 20, down: 20}, basis: assumed, source: s}]
activities:
  - name: beat
    trigger: timer
    every: 60s
    jitter: 1ms
    slip: {chance: 10, by: [700ms, 800ms, 900ms]}
    basis: assumed
    source: s
    steps: [{service: api, messages: [{up: 20}]}]
`

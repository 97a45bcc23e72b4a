//! chaos-proxy forwards TCP connections by the local port they arrive on, and injects the faults that its config asks
//! for.
//!
//! This page describes the design: what flows through the program, the modules and their layers, and the decisions with
//! their reasons. The README introduces the program, `configs/README.md` is its reference.
//!
//! # What flows through it
//!
//! ```text
//! flags ────cli─────┐
//! file ─────config──┼──► Plan ──► Supervisor ──► Listener ──► connection ──► Forwarding, one for each direction
//! request ──admin───┘               ▲ │                                          │      │
//!         (or every problem,        │ └── drain ◄── Stop ◄── signals         plain path, toxic path (Chain)
//!          with position and hint)  │                                            │
//! steps of a scenario ──harness─────┘                                            │
//!                                                                                │
//! log lines, event stream ◄── logging ◄── event::emit ◄── Event: returned values ◄
//! metrics, lists ◄── admin ◄───┐
//! report, verdict ◄── harness ◄┴── Supervisor ◄── registry, counters
//! ```
//!
//! Data flows one way. Flags, files and requests are parsed once, into a [`plan::Plan`] that can't hold an invalid
//! value. It goes live through [`proxy::Supervisor::apply`] or [`edit`](proxy::Supervisor::edit), which changes the
//! present plan, and in no other way. What happens is described by an [`event::Event`], and [`event::emit`] logs it.
//!
//! # Modules
//!
//! | module | contents |
//! |---|---|
//! | [`run`] | one run from arguments to exit code: the order in which things are opened and closed |
//! | [`control`] | what changes the routes during a run: the admin server, SIGHUP, a watched file |
//! | [`cli`] | the command line: flags, help text, usage errors |
//! | [`admin`] | the admin server, built on [`http`]: its API, the metrics, the dashboard, and which requests are permitted |
//! | [`ctl`] | the client of the admin server: requests, and what is printed for the answers |
//! | [`explore`] | tries a fault at every point of a command's conversations, one run for each |
//! | [`shrink`] | leaves out faults, one run after another, until none can be left out |
//! | [`harness`] | what a test needs: a wrapped command, repeated runs, changes over time, a report with a verdict |
//! | [`reload`] | loads the config file again and makes it live |
//! | [`status_line`] | the line at the bottom of a terminal: what it says and when it changes |
//! | [`test_server`] | the HTTP upstreams of `--test-server`, built on [`http`] |
//! | [`explain`] | what a run will do to each connection, computed in advance |
//! | [`redirect`] | the firewall rules that redirect connections to the routes |
//! | [`overview`] | the routes of a plan as the table that `--check` prints |
//! | [`config`] | the text of a file to a plan, or every problem of it at once |
//! | [`http`] | a small HTTP/1.1 server with limits: connections, heads, bodies; a handler answers |
//! | [`proxy`] | the only module that touches the sockets of clients and upstreams |
//! | [`event`] | what happened, and the log line for it |
//! | [`free_port`] | ports that nothing listens on |
//! | [`plan`] | routes and their conflicts, profiles, and the differences between two plans |
//! | [`toxic`] | each toxic: its declaration, and what it does to a stream, as arithmetic |
//! | [`dice`] | every random decision, a function of the seed and of what it is for |
//! | [`value`] | numbers, names, words and selectors, checked once |
//! | [`logging`] | the format of log lines, a writer that never blocks, and readers inside the process |
//! | [`watch`] | notices that a file has changed |
//! | [`signals`], [`stop`] | signals, and the latches that wake what waits for the end |
//! | [`limits`] | the number of connections that the system can carry |
//! | [`listen`] | binds the ports of routes and servers |
//! | [`memory`] | the number of bytes that toxics may hold |
//! | [`scheduling`] | the scheduling policy of threads that forward messages |
//! | [`table`] | tables with aligned columns |
//! | [`terminal`], [`columns`], [`units`] | what stderr can show, and texts that fit it: columns, durations, bytes |
//! | [`spelling`] | the known word that a misspelt one was probably meant to be |
//! | [`plot`] | drawing in SVG |
//! | [`threads`] | the only module that spawns threads; the thread pool |
//!
//! A module imports modules further down this table only, and the same holds inside [`proxy`]: `supervisor`,
//! `listener`, `connection`, `forward`, `client`, `state`, `live_route`, `socket`. [`value`], [`dice`], [`toxic`],
//! [`plan`] and [`explain`] are pure: they get time, random draws and bytes as arguments, so their tests need neither a
//! socket nor a sleep. `tests/tidy.rs` checks both.
//!
//! # The life of a connection
//!
//! A listener thread takes a permit, accepts, and registers a `ConnectionState`. This one value is shared by every
//! thread that deals with the connection. It has both sockets, the phase (dialling, delayed, forwarding, half-closed,
//! draining), the bytes received and sent in each direction, the sums of the toxics that acted, and a close reason that
//! is set once. `abort` ends the connection from any thread with one call. The registry lists all states, for drain,
//! lists and requests to end one. When a connection ends, what it has done is added to the counters of its route.
//!
//! A pooled thread draws whether the connection is dropped, dials the upstream, and takes a second thread from the
//! pool. From then on each thread forwards one direction. Each waits for the rest of `latencyMs` and runs a
//! `Forwarding`; the last of the two to finish reports the connection.
//!
//! `Forwarding` uses one of two paths, and switches between them at any byte:
//!
//! - **The plain path**, while no toxic applies. Small messages are read into 1 KiB on the stack and written. A read
//!   that fills this buffer begins a bulk stream, which goes through a pipe inside the kernel with splice(2) until it
//!   is quiet for 250 ms or its reads are small again. Pipes are scarce, so they are lent for each piece; without one,
//!   64 KiB at a time are copied. A thread that has forwarded 16 messages changes to `SCHED_BATCH`: it no longer
//!   preempts the event loop that has just sent it something.
//! - **The toxic path**, otherwise. It polls both sockets, gives what it reads to a `Chain`, and writes what the chain
//!   releases. A delay needs no thread of its own.
//!
//! A FIN becomes a shutdown of the other side's sending direction, and the reverse direction continues. A reset on
//! either side ends both with a reset, after the bytes that came before it. When 0 bytes are read, the socket is asked
//! whether this is a FIN or a reset that the other direction's thread has already seen.
//!
//! # Toxics
//!
//! A [`toxic::Chain`] has a `Link` for each toxic that applies to this direction of this connection. A link holds the
//! bytes that are not due at the next one yet, and its stage decides when each of them goes on: a delay after its
//! arrival, and not before the byte in front of it. So delays overlap and no byte overtakes another. The end of the
//! stream passes the links like its bytes.
//!
//! What happens to a byte is a function of the seed, the route's name, the connection's number, the direction, the
//! toxic's name and the byte's offset. It does not depend on the sizes of reads and writes, on threads or on a shared
//! generator. Delay and loss are drawn for segments: these end after 1,448 bytes, where the conversation turns, and
//! after a pause of 10 ms. Offsets are counted from the last turn, so that the n-th request and reply have the same
//! draw in every run. The price: if both sides send at once, timing decides where the conversation turns, and a pause
//! close to 10 ms may or may not end a segment.
//!
//! A toxic with a trigger (`when`) acts from a point of the conversation on. The intake of the chain searches what
//! arrives for the mark, and holds back the bytes for which the point is undecided. The link of the toxic passes
//! everything before the point, and acts from there on, so the point is exact by byte in any chunks. The other
//! direction learns of a point before the last byte of the mark is written: whatever is received as an answer to this
//! byte is read after that. A toxic that ends the connection at once ends the stream at the point, and the other
//! direction holds everything from then on until the connection is gone.
//!
//! Each toxic declares its attributes once, beside its stage. The config check, the hints, the serialised form, the
//! JSON Schema, the tables in the documents and the property tests all read this declaration.
//!
//! # Changes to live routes
//!
//! [`proxy::Supervisor::apply`] compares the live routes with the plan ([`plan::diff`], a pure function) and makes the
//! smallest change. A route with a new upstream or listen address gets a new listener, and its connections continue.
//! Those of a route that is disabled end, as those of a service that is down. New faults reach live connections too:
//! the `LiveRoute` replaces its `Generation`, an immutable value with the route and its toxics, and triggers the latch
//! of the old one. The latch is part of every wait of the route's connections, in poll(2) beside the sockets, so each
//! direction takes over the new toxics at the next byte. (A plain path with close messages waits in a blocking read
//! instead, for at most 20 ms.) It costs one pipe for each generation and none for a connection. Toxics that stay keep
//! their state. One whose attributes change keeps its bytes, which are due when its new attributes delay them to, and
//! its times still count from when it was added. Bytes held by a removed one are released. Connection numbers go on, so
//! that a seed keeps its meaning.
//!
//! `apply` never waits for a connection. It waits for at most 100 ms until a listener has closed its port.
//!
//! # Redirected connections
//!
//! A route whose upstream is `original` asks the kernel where each accepted connection went before the firewall redirected it:
//! connection tracking knows it (`SO_ORIGINAL_DST`), and with TPROXY the accepted socket has it as its own address. One that
//! was not redirected, or that this process has opened itself, is refused, because it would be forwarded here without end. So
//! the source of such a connection is listed before it can be accepted. The destination is part of what toxics select by.
//! [`redirect`] writes the rules, as a text: the proxy itself changes no firewall.
//!
//! # Changes over time
//!
//! Which change of a [scenario](plan::scenario) comes when is a function of the scenario, the routes of the file and
//! the time. [`harness::scenario`] waits for each with a deadline, and makes it through the supervisor. A change sets
//! only what its step names, so other changes of the same route stay. A ramp begins at what the file and earlier steps
//! have set, not at what a request has: a run with the same file is the same run. After a reload with the same
//! scenario, one change gives the live routes the faults of the new file and the settings that the scenario has at that
//! time.
//!
//! # A wrapped command
//!
//! The command must get SIGTERM when the proxy dies, for whatever reason. Only a process itself can ask the kernel for
//! that, and code between fork(2) and execve(2) would be unsafe. So the proxy starts its own program again, in a mode
//! that asks for the signal, restores the signal mask and the limits that the proxy has changed, and becomes the
//! command with execve(2): [`harness::exec`]. The command stays in the proxy's process group, so that job control and
//! Ctrl-C work. The first signal is forwarded, unless the terminal has sent it to the command as well; the second one
//! kills.
//!
//! Each run of `--repeat` and `--seeds` is a process of its own: no run can find what another one has left.
//!
//! # Searching for faults
//!
//! [`explore`] and [`shrink`] decide from one run what the next one tries. Each try is a process of its own with a config
//! that is written for it, so that a config that is found repeats the run outside of the search. What was tried is read
//! from the log of the run, which is complete even if the run had to be killed. The points that `explore` tries are
//! counted by the code that finds them again, the intake of a chain. `shrink` never changes a name or a rate while it
//! leaves something out: draws depend on names, connections and offsets alone, so what is left acts as before.
//!
//! # Report and verdict
//!
//! A connection that ends adds what it has done to the counters of its route, as for the metrics. At the end of the
//! run, the harness reads these counters once, as [`harness::Figures`]. Expectations, the report in all formats and the
//! summary are functions of them. Times are counted in histograms whose buckets are 1/32 wide, so that a percentile is
//! exact to 1.6 % in constant memory. Tables and plots are made from the JSON, so that a run and `chaos-proxy report`, which
//! has nothing else, show the same. Only formats with the figures over time take samples.
//!
//! # Control
//!
//! SIGHUP, a watched file and the admin server change routes from threads of their own, through the supervisor. A
//! watched file is polled: notifications miss network file systems and links that are replaced. The file is read after
//! two consecutive polls have found the same metadata, so a partly written file is not loaded. The metrics are read
//! from the live routes with each request, and written by hand: `prometheus-client` would add almost nothing to the
//! binary, but promtool rejects its counters, and it does not escape the names of routes.
//!
//! # Decisions and their price
//!
//! - **A thread pair with blocking copies per connection.** The code reads top to bottom, and a slow reader slows its
//!   sender through TCP alone. The price is two threads and eight memory maps for a connection, and a context switch
//!   for each message: with many busy connections, an event loop handles more requests. Threads are pooled, because
//!   starting two would halve the connection rate.
//! - **IP addresses only.** A fault of DNS would pass for an injected one. The price is that services can't be found by
//!   name, except with `--resolve`: [`config`] then looks each name up once, before there is a connection.
//! - **All or nothing at start.** Every port is bound before any connection is accepted. A test against half of the
//!   routes misleads.
//! - **A port `auto` is chosen when the config is parsed**, so a plan has the number of each port. If another process
//!   takes the port before it is bound, the supervisor chooses again.
//! - **A config is parsed, not validated.** JSON and YAML are read into one tree with positions and bound by hand,
//!   because deserializers stop at their first error and lose positions. The price is code where a derive would do.
//! - **Connections beyond the limit wait in the kernel's backlog**, where they cost nothing. The limit is computed at
//!   start, because a process without descriptors loses connections, and one without memory maps aborts when it starts
//!   a thread.
//! - **Memory for held bytes is bounded**, for each direction and for all of them together. Then nothing is read, and
//!   TCP slows the sender.
//! - **One upstream connection for each connection.** A pool would hide the upstream's own accepts and resets.
//! - **A drain injects no faults of its own.** The backlog is emptied before a port closes, since closing it would
//!   reset what waits there. Connections that are cut are reset: a FIN could pass for a complete answer.
//! - **A reset is sent when it is decided**, not when the last thread drops the socket. On Linux, connect(2) to
//!   `AF_UNSPEC` does this.
//! - **The log never blocks.** Lines pass through a bounded queue to a thread of their own. If the reader of stderr
//!   stalls, lines are lost and counted. On a terminal, this thread also folds repeated faults and keeps the status
//!   line below the log: with one writer, the two can't mix. What the line says is sampled from the registry, so it
//!   costs a connection nothing. A thread looks four times a second, or less often if that took more than a 200th of
//!   its time.
//!
//! # Deliberately absent
//!
//! - An async runtime: each direction is a thread that blocks in read(2) or poll(2).
//! - Name lookups for a connection, connection pools, retries: each would add behaviour that the network under test
//!   does not have.
//! - Unsafe code, and panics on any input or lack of resources.
//! - A random generator whose state threads share: a draw would depend on what was drawn before.
//! - Faults per HTTP request, UDP.

#![forbid(unsafe_code)]

pub mod admin;
pub mod cli;
pub mod columns;
pub mod config;
pub mod control;
pub mod ctl;
pub mod dice;
pub mod event;
pub mod explain;
pub mod explore;
pub mod free_port;
pub mod harness;
pub mod http;
pub mod limits;
pub mod listen;
pub mod logging;
pub mod memory;
pub mod overview;
pub mod plan;
pub mod plot;
pub mod proxy;
pub mod redirect;
pub mod reload;
pub mod run;
pub mod scheduling;
pub mod shrink;
pub mod signals;
pub mod spelling;
pub mod status_line;
pub mod stop;
pub mod table;
pub mod terminal;
pub mod test_server;
pub mod threads;
pub mod toxic;
pub mod units;
pub mod value;
pub mod watch;

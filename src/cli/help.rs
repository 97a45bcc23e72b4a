//! The text of `--help`.

/// What `--help` prints.
pub const HELP: &str = "\
chaos-proxy: forwards TCP connections by local port and injects faults into them

Usage:
  chaos-proxy --config FILE [options]
  chaos-proxy --listen PORT --upstream IP:PORT [options]

Routes:
  --config FILE            read routes from FILE: JSON, or YAML (.yaml, .yml)
  --listen PORT            without a file: local port of the only route
  --upstream IP:PORT       without a file: forward its connections here
  --drop-rate P            without a file: share to drop, 0.0 to 1.0 [0.0]
  --latency-ms N           without a file: delay before forwarding, in ms [0]
  --bind IP                listen address of routes that set none [127.0.0.1]

Running:
  --check                  validate the routes and exit, without opening a port
  --schema                 print a JSON Schema of config files, for editors
  --test-server            serve HTTP on every upstream: /, /bytes/N, /echo
  --seed N                 repeat the faults of an earlier run [random]
  --max-connections N      serve at most N at once, others wait [system limits]
  --max-buffered MIB       memory for data that toxics hold [1/4 of what is free]
  --drain-timeout SECONDS  time after SIGINT/SIGTERM to cut connections [never]

Log, on stderr:
  --verbose                log debug lines too
  --quiet                  log errors only
  --log-format FORMAT      logfmt or json [logfmt]

  -h, --help               print this help
  -V, --version            print the version

Long flags also work with one dash, and as --flag=value. RUST_LOG sets the log
level unless a flag does. Exit codes: 0 success; 1 could not run, or connections
were cut; 2 usage or config error; 130 or 143 cut short by a second signal.
";

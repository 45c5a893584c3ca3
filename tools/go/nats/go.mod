module platform-topologies/tools/go/nats

go 1.25

require github.com/nats-io/nats-server/v2 v2.10.27

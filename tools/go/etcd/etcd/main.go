// The server: upstream's own program has nothing else in it, and its module is not everywhere to be had.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}

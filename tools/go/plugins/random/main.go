// Command pulumi-resource-random bridges the upstream random provider, for machines that cannot download
// the official plugin.
package main

import (
	"context"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	bridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	upstream "github.com/terraform-providers/terraform-provider-random/reexport"
)

// version is set by the linker.
var version = "4.21.2"

func resource(file, name string) *bridge.ResourceInfo {
	return &bridge.ResourceInfo{Tok: tokens.Type("random:index/" + file + ":" + name)}
}

func main() {
	info := bridge.ProviderInfo{
		P:       tfbridge.ShimProvider(upstream.New()),
		Name:    "random",
		Version: version,
		Resources: map[string]*bridge.ResourceInfo{
			"random_bytes":    resource("randomBytes", "RandomBytes"),
			"random_id":       resource("randomId", "RandomId"),
			"random_integer":  resource("randomInteger", "RandomInteger"),
			"random_password": resource("randomPassword", "RandomPassword"),
			"random_pet":      resource("randomPet", "RandomPet"),
			"random_shuffle":  resource("randomShuffle", "RandomShuffle"),
			"random_string":   resource("randomString", "RandomString"),
			"random_uuid":     resource("randomUuid", "RandomUuid"),
			"random_uuid4":    resource("randomUuid4", "RandomUuid4"),
			"random_uuid7":    resource("randomUuid7", "RandomUuid7"),
		},
		MetadataInfo: bridge.NewProviderMetadata([]byte("{}")),
	}
	tfbridge.Main(context.Background(), "random", info, tfbridge.ProviderMetadata{
		PackageSchema: []byte(`{"name":"random","version":"` + version + `"}`),
	})
}

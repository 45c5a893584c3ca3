// Command pulumi-resource-aws bridges the upstream AWS provider, whole in its code and cut down to the services that
// this project uses: for emulators alone, on machines that cannot download the official plugin.
package main

import (
	"context"
	"encoding/json"
	"log"
	"strings"

	upstream "github.com/hashicorp/terraform-provider-aws/reexport"
	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/x/muxer"
	"github.com/pulumi/pulumi-terraform-bridge/v3/unstable/metadata"
	sdk "github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

// version is set by the linker.
var version = "0.0.0"

func resource(module, name string) *tfbridge.ResourceInfo {
	file := strings.ToLower(name[:1]) + name[1:]
	return &tfbridge.ResourceInfo{Tok: tokens.Type("aws:" + module + "/" + file + ":" + name)}
}

// withDefaultTags adds the provider's default tags to a resource's own, as the official plugin does: Terraform would
// do it while it plans, and the bridge would see a difference each time.
func withDefaultTags(_ context.Context, inputs, config sdk.PropertyMap) (sdk.PropertyMap, error) {
	tags, err := defaultTags(config["defaultTags"])
	if err != nil || len(tags) == 0 {
		return inputs, err
	}
	if own, given := inputs["tags"]; given && own.IsObject() {
		for key, value := range own.ObjectValue() {
			tags[key] = value
		}
	}
	inputs["tags"] = sdk.NewProperty(tags)
	return inputs, nil
}

// defaultTags reads them from the provider's config, in which an object is JSON.
func defaultTags(given sdk.PropertyValue) (sdk.PropertyMap, error) {
	if given.IsString() {
		var read struct{ Tags map[string]string }
		err := json.Unmarshal([]byte(given.StringValue()), &read)
		found := sdk.PropertyMap{}
		for key, value := range read.Tags {
			found[sdk.PropertyKey(key)] = sdk.NewProperty(value)
		}
		return found, err
	}
	if !given.IsObject() || !given.ObjectValue()["tags"].IsObject() {
		return sdk.PropertyMap{}, nil
	}
	return given.ObjectValue()["tags"].ObjectValue().Copy(), nil
}

func main() {
	ctx := context.Background()
	terraform, framework, err := upstream.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	used := resources()
	// The official plugin calls them `name`, too, and makes one up where none is given.
	for resource, field := range map[string]string{"aws_cloudwatch_metric_alarm": "alarm_name"} {
		used[resource].Fields = map[string]*tfbridge.SchemaInfo{field: tfbridge.AutoName("name", 255, "-")}
	}
	shim := pf.MuxShimWithPF(ctx, shimv2.NewProvider(terraform), framework)
	for name, each := range used {
		if _, tagged := shim.ResourcesMap().Get(name).Schema().GetOk("tags_all"); tagged {
			each.PreCheckCallback = withDefaultTags
		}
	}
	info := tfbridge.ProviderInfo{
		P:         shim,
		Name:      "aws",
		Version:   version,
		Resources: used,
		Config: map[string]*tfbridge.SchemaInfo{
			// An emulator has one address, so a bucket cannot be a part of the host's name.
			"s3_use_path_style":       {Name: "s3UsePathStyle", Default: &tfbridge.DefaultInfo{Value: true}},
			"skip_metadata_api_check": {Default: &tfbridge.DefaultInfo{Value: true}},
		},
		MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
	}
	info.SetAutonaming(255, "-")
	dispatch, err := shim.(interface {
		ResolveDispatch(*tfbridge.ProviderInfo) (muxer.DispatchTable, error)
	}).ResolveDispatch(&info)
	if err != nil {
		log.Fatal(err)
	}
	if err := metadata.Set(info.GetMetadata(), "mux", dispatch); err != nil {
		log.Fatal(err)
	}
	pf.MainWithMuxer(ctx, "aws", info, []byte(`{"name":"aws","version":"`+version+`"}`))
}

// Package reexport lies below upstream's module path, so it may import upstream's internal packages.
package reexport

import (
	"context"

	framework "github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/hashicorp/terraform-provider-aws/internal"
	pf "github.com/hashicorp/terraform-provider-aws/internal/provider/framework"
	"github.com/hashicorp/terraform-provider-aws/internal/provider/sdkv2"
)

// New returns both halves of upstream's Terraform provider: some resources are in the one, some in the other.
func New(ctx context.Context) (*schema.Provider, framework.Provider, error) {
	internal.RegisterSmarterrFS()
	primary, err := sdkv2.NewProvider(ctx)
	if err != nil {
		return nil, nil, err
	}
	secondary, err := pf.NewProvider(ctx, primary)
	return primary, secondary, err
}

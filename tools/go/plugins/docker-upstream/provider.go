// Package reexport lies below upstream's module path, so it may import upstream's internal package.
package reexport

import (
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// New returns upstream's Terraform provider.
func New(version string) *schema.Provider { return provider.New(version)() }

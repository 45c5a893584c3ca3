// Package reexport lies below upstream's module path, so it may import upstream's internal package.
package reexport

import (
	framework "github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/terraform-providers/terraform-provider-random/internal/provider"
)

// New returns upstream's Terraform provider.
func New() framework.Provider { return provider.New() }

module github.com/terraform-providers/terraform-provider-random/reexport

go 1.26

require github.com/terraform-providers/terraform-provider-random v0.0.0

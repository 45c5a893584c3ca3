// sdkgen LANGUAGE SCHEMA FOLDER [local]: an SDK from a package's schema, by the CLI's own generators. `local`: for a
// program on this machine, as `pulumi package add` makes it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/blang/semver"
	gogen "github.com/pulumi/pulumi/pkg/v3/codegen/go"
	"github.com/pulumi/pulumi/pkg/v3/codegen/nodejs"
	"github.com/pulumi/pulumi/pkg/v3/codegen/python"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

// alone is the loader of a schema that refers to no other package's.
type alone struct{}

var errAlone = errors.New("the schema refers to another package's, and none is loaded here")

func (alone) LoadPackage(string, *semver.Version) (*schema.Package, error) { return nil, errAlone }
func (alone) LoadPackageV2(context.Context, *schema.PackageDescriptor) (*schema.Package, error) {
	return nil, errAlone
}
func (alone) LoadPackageReference(string, *semver.Version) (schema.PackageReference, error) {
	return nil, errAlone
}
func (alone) LoadPackageReferenceV2(context.Context, *schema.PackageDescriptor) (schema.PackageReference, error) {
	return nil, errAlone
}

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "sdkgen LANGUAGE SCHEMA FOLDER [local]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3], len(os.Args) > 4); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(language, file, folder string, local bool) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var spec schema.PackageSpec
	if err := json.Unmarshal(raw, &spec); err != nil {
		return err
	}
	pkg, diags, err := schema.BindSpec(spec, alone{}, schema.ValidationOptions{})
	if err != nil {
		return err
	}
	for _, each := range diags {
		fmt.Fprintln(os.Stderr, each.Error())
	}
	if diags.HasErrors() {
		return errors.New("the schema is not valid")
	}
	pkg.SupportPack = local
	files, err := generate(language, pkg, local)
	if err != nil {
		return err
	}
	for name, content := range files {
		place := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(place, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func generate(language string, pkg *schema.Package, local bool) (map[string][]byte, error) {
	const tool = "platform-topologies"
	switch language {
	case "nodejs":
		return nodejs.GeneratePackage(tool, pkg, nil, nil, local, alone{})
	case "python":
		return python.GeneratePackage(tool, pkg, nil, alone{})
	case "go":
		return gogen.GeneratePackage(tool, pkg, nil)
	}
	return nil, fmt.Errorf("no generator for %q: nodejs, python or go", language)
}

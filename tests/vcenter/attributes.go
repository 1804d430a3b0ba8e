package main

import (
	"maps"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

const firstFieldKey = 100

// customValues defines the custom attributes that are not there yet, and
// returns a VM's values of them.
func (b *builder) customValues(attributes map[string]string) []types.BaseCustomFieldValue {
	content := b.ctx.Map.Get(vimServiceInstance).(*simulator.ServiceInstance).Content
	manager := b.ctx.Map.Get(*content.CustomFieldsManager).(*simulator.CustomFieldsManager)
	var values []types.BaseCustomFieldValue
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		at := slices.IndexFunc(manager.Field, func(f types.CustomFieldDef) bool { return f.Name == name })
		if at < 0 {
			at = len(manager.Field)
			manager.Field = append(manager.Field, types.CustomFieldDef{
				Key: int32(firstFieldKey + at), Name: name, Type: "string", ManagedObjectType: "VirtualMachine",
			})
		}
		values = append(values, &types.CustomFieldStringValue{
			CustomFieldValue: types.CustomFieldValue{Key: manager.Field[at].Key}, Value: attributes[name],
		})
	}
	return values
}

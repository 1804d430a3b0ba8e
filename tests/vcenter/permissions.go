package main

import (
	"slices"

	"github.com/vmware/govmomi/vim25/types"
)

// bar is what the account may not see of one object.
type bar struct {
	paths     []string
	invisible bool
}

// withhold takes out what the account may not see: a whole object is not in the
// answer, a single property is in its missing set with NoPermission.
func (w *world) withhold(objects []types.ObjectContent) []types.ObjectContent {
	if len(w.barred) == 0 {
		return objects
	}
	shown := objects[:0:0]
	for _, content := range objects {
		barred := w.barred[content.Obj.Value]
		if barred.invisible {
			continue
		}
		kept := content.PropSet[:0:0]
		for _, p := range content.PropSet {
			if !slices.Contains(barred.paths, p.Name) {
				kept = append(kept, p)
				continue
			}
			self := content.Obj
			content.MissingSet = append(content.MissingSet, types.MissingProperty{
				Path: p.Name,
				Fault: types.LocalizedMethodFault{
					Fault: &types.NoPermission{Object: &self, PrivilegeId: "System.Read"},
				},
			})
		}
		content.PropSet = kept
		shown = append(shown, content)
	}
	return shown
}

package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// evcOrder answers which EVC mode can run what, from the server's own table.
type evcOrder struct {
	modes []EvcMode
}

func newEvcOrder(modes []EvcMode) evcOrder { return evcOrder{modes: modes} }

func (o evcOrder) find(key string) (EvcMode, bool) {
	i := slices.IndexFunc(o.modes, func(m EvcMode) bool { return m.Key == key })
	if i < 0 {
		return EvcMode{}, false
	}
	return o.modes[i], true
}

// refuses is true where both modes are known and the first cannot run what the
// second needs: other vendor, a track that lacks part of the other's, or a
// lower tier. Unknown modes are not comparable and refuse nothing.
func (o evcOrder) refuses(have, need string) bool {
	a, known := o.find(have)
	b, wanted := o.find(need)
	if !known || !wanted {
		return false
	}
	for _, key := range b.Track {
		if !slices.Contains(a.Track, key) {
			return true
		}
	}
	return a.Vendor != b.Vendor || a.Tier < b.Tier
}

// wire writes the table as supportedEVCMode.
func (o evcOrder) wire() []types.EVCMode {
	var modes []types.EVCMode
	for _, m := range o.modes {
		modes = append(modes, types.EVCMode{
			ElementDescription: types.ElementDescription{
				Description: types.Description{Label: m.Key, Summary: m.Key}, Key: m.Key,
			},
			Vendor: m.Vendor, VendorTier: m.Tier, Track: m.Track, FeatureMask: o.masks(m),
		})
	}
	return modes
}

// masks are the feature masks that hold a host or a VM to a mode: one for each
// step of the vendor's modes, which the mode has or has not.
func (o evcOrder) masks(mode EvcMode) []types.HostFeatureMask {
	var masks []types.HostFeatureMask
	for _, other := range o.modes {
		if other.Vendor != mode.Vendor {
			continue
		}
		val := "Val:0"
		if slices.Contains(mode.Track, other.Key) {
			val = "Val:1"
		}
		key := "cpuid." + other.Key
		masks = append(masks, types.HostFeatureMask{Key: key, FeatureName: key, Value: val})
	}
	return masks
}

// showOwnMode puts the masks of a VM's own EVC mode on it.
func (b *builder) showOwnMode(v *vmState) {
	if mode, known := b.modes.find(v.spec.EvcMode); known {
		v.obj.Runtime.FeatureMask = b.modes.masks(mode)
	}
}

// requiredMode is the mode a VM needs: its own EVC mode wins over its minimum.
func requiredMode(spec *VM) string {
	if spec.EvcMode != "" {
		return spec.EvcMode
	}
	return spec.MinEvcMode
}

// offeredMode is what a host can run: its maximum, else the cluster's mode.
func (w *world) offeredMode(h *hostState) string {
	if h.spec.MaxEvcMode != "" {
		return h.spec.MaxEvcMode
	}
	if mode := w.snap.Cluster.EvcMode; mode != nil {
		return *mode
	}
	return ""
}

// missingFeatures lists the VM's CPU requirements that the host does not meet;
// none where the host's features are not known.
func missingFeatures(spec *VM, h *Host) []types.VirtualMachineFeatureRequirement {
	if h.CPUFeatures == nil {
		return nil
	}
	have := map[string]string{}
	for key, val := range h.CPUFeatures {
		have[strings.ToLower(key)] = val
	}
	var missing []types.VirtualMachineFeatureRequirement
	for key, need := range spec.CPUFeatures {
		if !meets(have[strings.ToLower(key)], need) {
			missing = append(missing, types.VirtualMachineFeatureRequirement{Key: key, FeatureName: key, Value: need})
		}
	}
	return missing
}

// meets compares a capability with a requirement such as "Bool:Min:1". A form
// it does not know counts as met.
func meets(have, need string) bool {
	parts := strings.Split(need, ":")
	if len(parts) < 2 {
		return true
	}
	wanted, err := strconv.ParseInt(parts[len(parts)-1], 0, 64)
	if err != nil {
		return true
	}
	got, _ := strconv.ParseInt(have, 0, 64)
	switch parts[len(parts)-2] {
	case "Min":
		return got >= wanted
	case "Match":
		return got == wanted
	}
	return true
}

// installEvcManager makes the object behind the cluster's EvcManager method.
func (b *builder) installEvcManager() {
	manager := &mo.ClusterEVCManager{ManagedCluster: b.cluster.Self}
	manager.Self = ref("ClusterEVCManager", "evcmanager-"+b.snap.Cluster.ID)
	manager.EvcState.SupportedEVCMode = b.modes.wire()
	if mode := b.snap.Cluster.EvcMode; mode != nil {
		manager.EvcState.CurrentEVCModeKey = *mode
	}
	b.cluster.evcManager = manager.Self
	b.ctx.Map.Put(manager)
}

// EvcManager answers the cluster's method of that name.
func (c *clusterObject) EvcManager(*simulator.Context, *types.EvcManager) soap.HasFault {
	return &methods.EvcManagerBody{Res: &types.EvcManagerResponse{Returnval: &c.evcManager}}
}

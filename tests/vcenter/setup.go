package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// adapterSetup is one vmkernel adapter for vMotion on a switch of its own. A
// link of speed 0 is down.
type adapterSetup struct {
	LinksMbps []int32 `json:"links_mbps"`
	Address   string  `json:"address"`
	Netmask   string  `json:"netmask"`
	MTU       int32   `json:"mtu"`
	Stack     string  `json:"stack"`
}

// addHostOptions makes a host's advanced options: those of vMotion alone.
func (b *builder) addHostOptions(spec *Host) *types.ManagedObjectReference {
	self := ref("OptionManager", "options-"+spec.ID)
	b.ctx.Map.Put(simulator.NewOptionManager(&self, migrateOptions(nil), nil))
	return &self
}

// migrateOptions are the options of vMotion with their defaults, some changed.
func migrateOptions(changed map[string]int64) []types.BaseOptionValue {
	values := map[string]int64{"Migrate.Enabled": 1, "Migrate.VMotionStreamHelpers": 0, "Migrate.VMotionStreamDisable": 0}
	maps.Copy(values, changed)
	var options []types.BaseOptionValue
	for _, key := range slices.Sorted(maps.Keys(values)) {
		options = append(options, &types.OptionValue{Key: key, Value: values[key]})
	}
	return options
}

// hostSetup changes how a host is set up for vMotion; what is absent stays.
func (c *control) hostSetup(req *http.Request) (any, error) {
	var ask struct {
		Version  string           `json:"version"`
		Adapters []adapterSetup   `json:"adapters"`
		Options  map[string]int64 `json:"options"`
	}
	if err := read(req, &ask); err != nil {
		return nil, err
	}
	h, err := c.host(req.PathValue("host"))
	if err != nil {
		return nil, err
	}
	if ask.Version == "" && ask.Adapters == nil && ask.Options == nil {
		return nil, errors.New("nothing to change; allowed are version, adapters, options")
	}
	if ask.Version != "" {
		c.world.update(h.obj, set("summary.config.product", &types.AboutInfo{Version: ask.Version}))
	}
	if ask.Adapters != nil {
		c.world.showAdapters(h, ask.Adapters)
	}
	if ask.Options != nil {
		options := c.world.ctx.Map.Get(*h.obj.ConfigManager.AdvancedOption).(*simulator.OptionManager)
		options.Setting = migrateOptions(ask.Options)
	}
	return done(), nil
}

// showAdapters replaces the host's vMotion network.
func (w *world) showAdapters(h *hostState, adapters []adapterSetup) {
	config := *h.obj.Config
	network := &types.HostNetworkInfo{NetStackInstance: config.Network.NetStackInstance}
	selected := types.VirtualNicManagerNetConfig{
		NicType: string(types.HostVirtualNicManagerNicTypeVmotion), MultiSelectAllowed: true,
	}
	for i, adapter := range adapters {
		candidate := addAdapter(network, adapter, i+1)
		selected.CandidateVnic = append(selected.CandidateVnic, candidate)
		selected.SelectedVnic = append(selected.SelectedVnic, candidate.Key)
	}
	config.Network = network
	config.VirtualNicManagerInfo = &types.HostVirtualNicManagerInfo{
		NetConfig: []types.VirtualNicManagerNetConfig{selected},
	}
	w.update(h.obj, set("config", &config))
}

// addAdapter adds an adapter with its port group, switch and links, and returns
// it as a candidate for vMotion.
func addAdapter(network *types.HostNetworkInfo, adapter adapterSetup, number int) types.HostVirtualNic {
	device, group, name := fmt.Sprintf("vmk%d", number), fmt.Sprintf("vMotion-%d", number), fmt.Sprintf("vSwitch%d", number)
	vswitch := types.HostVirtualSwitch{Name: name, Key: "key-vim.host.VirtualSwitch-" + name}
	for _, speed := range adapter.LinksMbps {
		nic := physicalNic(fmt.Sprintf("vmnic%d", len(network.Pnic)+1), speed)
		if speed == 0 {
			nic.LinkSpeed = nil
		}
		network.Pnic = append(network.Pnic, nic)
		vswitch.Pnic = append(vswitch.Pnic, nic.Key)
	}
	network.Vswitch = append(network.Vswitch, vswitch)
	network.Portgroup = append(network.Portgroup, types.HostPortGroup{
		Key: "key-vim.host.PortGroup-" + group, Vswitch: vswitch.Key,
		Spec: types.HostPortGroupSpec{Name: group, VswitchName: name},
	})
	vnic := types.HostVirtualNic{
		Device: device, Key: "key-vim.host.VirtualNic-" + device, Portgroup: group,
		Spec: types.HostVirtualNicSpec{
			Ip:        &types.HostIpConfig{IpAddress: adapter.Address, SubnetMask: adapter.Netmask},
			Portgroup: group, Mtu: adapter.MTU, NetStackInstanceKey: adapter.Stack,
		},
	}
	network.Vnic = append(network.Vnic, vnic)
	vnic.Key = "vmotion." + vnic.Key
	return vnic
}

// drs changes the cluster's own DRS.
func (c *control) drs(req *http.Request) (any, error) {
	ask := new(DRS)
	if err := read(req, ask); err != nil {
		return nil, err
	}
	c.world.snap.Cluster.DRS = ask
	config := *c.world.cluster.ConfigurationEx.(*types.ClusterConfigInfoEx)
	config.DrsConfig = clusterConfig(c.world.snap).DrsConfig
	c.world.update(c.world.cluster, set("configurationEx", &config))
	return done(), nil
}

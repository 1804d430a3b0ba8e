package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/vmware/govmomi/vim25/types"
)

const (
	vmotionPortgroup = "vMotion"
	vmotionSwitch    = "vSwitch1"
	vmotionVnic      = "vmk1"
	defaultLinkMbps  = 10000
)

// hostConfig is the part of a host's configuration that a scheduler reads: the
// vMotion adapter with the links behind it, and the CPU features.
func (b *builder) hostConfig(spec *Host) *types.HostConfigInfo {
	config := &types.HostConfigInfo{
		Host:                  ref("HostSystem", spec.ID),
		Network:               new(types.HostNetworkInfo),
		VirtualNicManagerInfo: new(types.HostVirtualNicManagerInfo),
		LockdownMode:          types.HostLockdownModeLockdownDisabled,
	}
	if spec.SwapDatastore != "" {
		store := ref("Datastore", spec.SwapDatastore)
		config.LocalSwapDatastore = &store
	}
	for i, speed := range links(linkMbps(spec)) {
		config.Network.Pnic = append(config.Network.Pnic, physicalNic(fmt.Sprintf("vmnic%d", i+1), speed))
	}
	wireVMotion(config.Network, len(b.hosts)+1)
	config.VirtualNicManagerInfo.NetConfig = []types.VirtualNicManagerNetConfig{
		{NicType: string(types.HostVirtualNicManagerNicTypeManagement), MultiSelectAllowed: true},
		vmotionConfig(config.Network.Vnic[0], spec.VMotion == nil || yes(spec.VMotion.Enabled)),
	}
	for _, key := range slices.Sorted(maps.Keys(spec.CPUFeatures)) {
		feature := types.HostFeatureCapability{Key: key, FeatureName: key, Value: spec.CPUFeatures[key]}
		config.FeatureCapability = append(config.FeatureCapability, feature)
		config.MaskedFeatureCapability = append(config.MaskedFeatureCapability, feature)
	}
	return config
}

func linkMbps(spec *Host) int32 {
	if spec.VMotion == nil || spec.VMotion.LinkMbps == nil {
		return defaultLinkMbps
	}
	return int32(*spec.VMotion.LinkMbps)
}

// links splits a sum of link speeds into cards that are sold: one card of a
// common speed, two equal ones, or one odd card where nothing fits.
func links(sum int32) []int32 {
	common := []int32{1000, 10000, 25000, 40000, 50000, 100000}
	if !slices.Contains(common, sum) && sum%2 == 0 && slices.Contains(common, sum/2) {
		return []int32{sum / 2, sum / 2}
	}
	return []int32{sum}
}

func physicalNic(device string, speedMb int32) types.PhysicalNic {
	return types.PhysicalNic{
		Key: "key-vim.host.PhysicalNic-" + device, Device: device, Pci: "0000:01:00.0", Mac: "00:50:56:00:00:01",
		LinkSpeed: &types.PhysicalNicLinkInfo{SpeedMb: speedMb, Duplex: true},
	}
}

// wireVMotion adds the switch, port group and adapter that carry vMotion.
func wireVMotion(network *types.HostNetworkInfo, number int) {
	vswitch := types.HostVirtualSwitch{
		Name: vmotionSwitch, Key: "key-vim.host.VirtualSwitch-" + vmotionSwitch, NumPorts: 128, NumPortsAvailable: 120, Mtu: 9000,
		Portgroup: []string{"key-vim.host.PortGroup-" + vmotionPortgroup},
		Spec:      types.HostVirtualSwitchSpec{NumPorts: 128, Mtu: 9000},
	}
	for _, nic := range network.Pnic {
		vswitch.Pnic = append(vswitch.Pnic, nic.Key)
	}
	network.Vswitch = []types.HostVirtualSwitch{vswitch}
	network.Portgroup = []types.HostPortGroup{{
		Key: vswitch.Portgroup[0], Vswitch: vswitch.Key,
		Spec: types.HostPortGroupSpec{Name: vmotionPortgroup, VswitchName: vmotionSwitch},
	}}
	network.NetStackInstance = []types.HostNetStackInstance{{Key: "defaultTcpipStack", Name: "defaultTcpipStack"}}
	network.Vnic = []types.HostVirtualNic{{
		Device: vmotionVnic, Key: "key-vim.host.VirtualNic-" + vmotionVnic, Portgroup: vmotionPortgroup,
		Spec: types.HostVirtualNicSpec{
			Ip:        &types.HostIpConfig{IpAddress: fmt.Sprintf("192.0.2.%d", number%250+1), SubnetMask: "255.255.255.0"},
			Portgroup: vmotionPortgroup, Mtu: 9000, NetStackInstanceKey: "defaultTcpipStack",
		},
	}}
}

// vmotionConfig offers the adapter for vMotion and selects it where enabled.
func vmotionConfig(vnic types.HostVirtualNic, enabled bool) types.VirtualNicManagerNetConfig {
	candidate := vnic
	candidate.Key = "vmotion." + vnic.Key
	config := types.VirtualNicManagerNetConfig{
		NicType:            string(types.HostVirtualNicManagerNicTypeVmotion),
		MultiSelectAllowed: true,
		CandidateVnic:      []types.HostVirtualNic{candidate},
	}
	if enabled {
		config.SelectedVnic = []string{candidate.Key}
	}
	return config
}

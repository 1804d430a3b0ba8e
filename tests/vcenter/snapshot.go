package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// Snapshot is a cluster at one instant in the project's snapshot v1 format.
// The same values are the live state of the server: they change with it and
// GET /snapshot writes them back.
type Snapshot struct {
	Schema            string          `json:"schema"`
	TakenAt           string          `json:"taken_at"`
	Source            *Source         `json:"source,omitempty"`
	Cluster           Cluster         `json:"cluster"`
	Hosts             []*Host         `json:"hosts"`
	VMs               []*VM           `json:"vms"`
	Rules             []*Rule         `json:"rules,omitempty"`
	ProfileSlotSecond *float64        `json:"profile_slot_seconds,omitempty"`
	Datastores        []*Datastore    `json:"datastores,omitempty"`
	Networks          []*Network      `json:"networks,omitempty"`
	ResourcePools     []*ResourcePool `json:"resource_pools,omitempty"`
	InFlight          []InFlight      `json:"migrations_in_flight,omitempty"`
}

// Source says where a snapshot came from.
type Source struct {
	Kind         string `json:"kind,omitempty"`
	Name         string `json:"name,omitempty"`
	InstanceUUID string `json:"instance_uuid,omitempty"`
	APIVersion   string `json:"api_version,omitempty"`
}

// Cluster holds the cluster's own settings.
type Cluster struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	EvcMode  *string   `json:"evc_mode"`
	EvcModes []EvcMode `json:"evc_modes,omitempty"`
	DRS      *DRS      `json:"drs,omitempty"`
	HA       *HA       `json:"ha,omitempty"`
}

// EvcMode is one row of the server's supportedEVCMode.
type EvcMode struct {
	Key    string   `json:"key"`
	Vendor string   `json:"vendor"`
	Tier   int32    `json:"tier"`
	Track  []string `json:"track"`
}

// DRS is the cluster's DRS switch and default automation.
type DRS struct {
	Enabled     bool   `json:"enabled"`
	Automation  string `json:"automation,omitempty"`
	VMotionRate int32  `json:"vmotion_rate,omitempty"`
}

// HA is the cluster's admission control.
type HA struct {
	Enabled              bool     `json:"enabled"`
	HostFailures         *int32   `json:"host_failures_to_tolerate,omitempty"`
	CPUReservePercent    *float64 `json:"cpu_reserve_percent,omitempty"`
	MemoryReservePercent *float64 `json:"memory_reserve_percent,omitempty"`
	FailoverHosts        []string `json:"failover_hosts,omitempty"`
}

// Host is one ESXi host.
type Host struct {
	ID                string            `json:"id"`
	Name              string            `json:"name"`
	State             string            `json:"state,omitempty"`
	CPUCores          int               `json:"cpu_cores,omitempty"`
	CPUCapacityMHz    float64           `json:"cpu_capacity_mhz"`
	MemoryCapacityMiB float64           `json:"memory_capacity_mib"`
	CPUOverheadMHz    float64           `json:"cpu_overhead_mhz,omitempty"`
	MemoryOverheadMiB float64           `json:"memory_overhead_mib,omitempty"`
	CPUUsageMHz       *float64          `json:"cpu_usage_mhz,omitempty"`
	MemoryUsageMiB    *float64          `json:"memory_usage_mib,omitempty"`
	NumaNodes         int               `json:"numa_nodes,omitempty"`
	CPUVendor         string            `json:"cpu_vendor,omitempty"`
	MaxEvcMode        string            `json:"max_evc_mode,omitempty"`
	CPUFeatures       map[string]string `json:"cpu_features,omitempty"`
	VMotion           *VMotion          `json:"vmotion,omitempty"`
	MaxRunningVMs     int32             `json:"max_running_vms,omitempty"`
	Datastores        []string          `json:"datastores,omitempty"`
	Networks          []string          `json:"networks,omitempty"`
	Groups            []string          `json:"groups,omitempty"`
	Tags              []string          `json:"tags,omitempty"`
	SwapDatastore     string            `json:"swap_datastore,omitempty"`
	UnsharedSwap      *bool             `json:"unshared_swap_supported,omitempty"`
	StorageVMotion    *bool             `json:"storage_vmotion_supported,omitempty"`
}

// VMotion is a host's ability to migrate running VMs.
type VMotion struct {
	Enabled            *bool    `json:"enabled,omitempty"`
	LinkMbps           *float64 `json:"link_mbps,omitempty"`
	EncryptedSupported *bool    `json:"encrypted_supported,omitempty"`
}

// VM is one virtual machine.
type VM struct {
	ID                   string            `json:"id"`
	UUID                 string            `json:"uuid,omitempty"`
	Name                 string            `json:"name"`
	Host                 string            `json:"host"`
	Power                string            `json:"power,omitempty"`
	VCPUs                int32             `json:"vcpus"`
	MemoryMiB            float64           `json:"memory_mib"`
	CPUDemandMHz         *float64          `json:"cpu_demand_mhz,omitempty"`
	CPUUsageMHz          *float64          `json:"cpu_usage_mhz,omitempty"`
	CPUReadyPercent      *float64          `json:"cpu_ready_percent,omitempty"`
	MemoryActiveMiB      *float64          `json:"memory_active_mib,omitempty"`
	MemoryConsumedMiB    *float64          `json:"memory_consumed_mib,omitempty"`
	MemoryGrantedMiB     *float64          `json:"memory_granted_mib,omitempty"`
	MemorySwappedMiB     *float64          `json:"memory_swapped_mib,omitempty"`
	MemoryBalloonedMiB   *float64          `json:"memory_ballooned_mib,omitempty"`
	DirtyRateMbps        *float64          `json:"dirty_rate_mbps,omitempty"`
	Profile              json.RawMessage   `json:"profile,omitempty"`
	CPUReservationMHz    float64           `json:"cpu_reservation_mhz,omitempty"`
	CPULimitMHz          *float64          `json:"cpu_limit_mhz,omitempty"`
	CPUShares            *float64          `json:"cpu_shares,omitempty"`
	MemoryReservationMiB float64           `json:"memory_reservation_mib,omitempty"`
	MemoryLimitMiB       *float64          `json:"memory_limit_mib,omitempty"`
	MemoryShares         *float64          `json:"memory_shares,omitempty"`
	ResourcePool         string            `json:"resource_pool,omitempty"`
	Folder               string            `json:"folder,omitempty"`
	GuestOS              string            `json:"guest_os,omitempty"`
	MinEvcMode           string            `json:"min_evc_mode,omitempty"`
	EvcMode              string            `json:"evc_mode,omitempty"`
	HardwareVersion      int               `json:"hardware_version,omitempty"`
	CPUFeatures          map[string]string `json:"cpu_features,omitempty"`
	Datastores           []string          `json:"datastores,omitempty"`
	Networks             []string          `json:"networks,omitempty"`
	Groups               []string          `json:"groups,omitempty"`
	Tags                 []string          `json:"tags,omitempty"`
	Attributes           map[string]string `json:"attributes,omitempty"`
	Automation           string            `json:"automation,omitempty"`
	Blockers             []string          `json:"blockers,omitempty"`
	Encryption           string            `json:"encryption,omitempty"`
	LastMovedAt          string            `json:"last_moved_at,omitempty"`
	SwapPlacement        string            `json:"swap_placement,omitempty"`
	StorageCommittedMiB  *float64          `json:"storage_committed_mib,omitempty"`
	StorageFreshMiB      *float64          `json:"storage_uncommitted_mib,omitempty"`
	ExtraConfig          map[string]string `json:"extra_config,omitempty"` // no part of the format: for tests alone
}

// Rule is one DRS rule of the cluster.
type Rule struct {
	Name      string   `json:"name"`
	Type      string   `json:"type"`
	Enabled   *bool    `json:"enabled,omitempty"`
	Mandatory *bool    `json:"mandatory,omitempty"`
	VMs       []string `json:"vms"`
	Hosts     []string `json:"hosts,omitempty"`
}

// Datastore is one datastore that hosts may mount.
type Datastore struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Kind        string   `json:"kind,omitempty"`
	CapacityMiB *float64 `json:"capacity_mib,omitempty"`
	FreeMiB     *float64 `json:"free_mib,omitempty"`
	State       string   `json:"state,omitempty"`
}

// Network is one network that hosts may offer.
type Network struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// ResourcePool is one pool below the cluster's root pool.
type ResourcePool struct {
	ID                   string   `json:"id"`
	Name                 string   `json:"name"`
	Parent               *string  `json:"parent"`
	CPUReservationMHz    *float64 `json:"cpu_reservation_mhz,omitempty"`
	CPULimitMHz          *float64 `json:"cpu_limit_mhz,omitempty"`
	CPUShares            *float64 `json:"cpu_shares,omitempty"`
	MemoryReservationMiB *float64 `json:"memory_reservation_mib,omitempty"`
	MemoryLimitMiB       *float64 `json:"memory_limit_mib,omitempty"`
	MemoryShares         *float64 `json:"memory_shares,omitempty"`
}

// InFlight is one migration that was under way when the snapshot was taken.
type InFlight struct {
	VM        string `json:"vm"`
	From      string `json:"from"`
	To        string `json:"to"`
	QueuedAt  string `json:"queued_at,omitempty"`
	StartedAt string `json:"started_at,omitempty"`
	Task      string `json:"task,omitempty"`
	Kind      string `json:"kind,omitempty"`
	IsOurs    *bool  `json:"is_ours,omitempty"`
}

// loadSnapshot reads and checks a snapshot file.
func loadSnapshot(path string) (*Snapshot, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	snap := new(Snapshot)
	if err := json.Unmarshal(data, snap); err != nil {
		return nil, fmt.Errorf("%s is not a snapshot: %w", path, err)
	}
	if err := snap.check(); err != nil {
		return nil, fmt.Errorf("%s cannot be served: %w", path, err)
	}
	return snap, nil
}

// check finds what no inventory can be built from.
func (s *Snapshot) check() error {
	var problems []error
	if s.Schema != "balancer/snapshot/v1" {
		problems = append(problems, fmt.Errorf("schema is %q, not balancer/snapshot/v1", s.Schema))
	}
	if s.Cluster.ID == "" {
		problems = append(problems, errors.New("cluster.id is missing"))
	}
	seen := map[string]bool{s.Cluster.ID: true}
	hosts := map[string]bool{}
	for _, h := range s.Hosts {
		problems = append(problems, claim(seen, h.ID)...)
		hosts[h.ID] = true
	}
	for _, v := range s.VMs {
		problems = append(problems, claim(seen, v.ID)...)
		if !hosts[v.Host] {
			problems = append(problems, fmt.Errorf("vm %s is on unknown host %q", v.ID, v.Host))
		}
	}
	return errors.Join(problems...)
}

func claim(seen map[string]bool, id string) []error {
	if id == "" || seen[id] {
		return []error{fmt.Errorf("id %q is missing or used twice", id)}
	}
	seen[id] = true
	return nil
}

// yes reads an optional boolean that is true unless the file says otherwise.
func yes(b *bool) bool { return b == nil || *b }

// value reads an optional number, 0 where the file has none.
func value(f *float64) float64 {
	if f == nil {
		return 0
	}
	return *f
}

// firstKnown returns the first number that is there.
func firstKnown(numbers ...*float64) *float64 {
	for _, n := range numbers {
		if n != nil {
			return n
		}
	}
	return nil
}

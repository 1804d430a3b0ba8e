package main

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	realtimeSeconds = 20
	keptSamples     = 180 // an hour
	overheadMiB     = 64  // a VM's own part of what it holds
	limitOption     = "config.vpxd.stats.maxQueryMetrics"
)

// performanceManager is the library's catalogue of counters with real-time
// samples that follow the load.
type performanceManager struct {
	simulator.PerformanceManager
	world *world
	names map[int32]string
}

// sampleSwitches is what a test wants of the statistics; guarded by the world.
type sampleSwitches struct {
	largestBatch int  // entities in one query; 0: any number
	mostMetrics  int  // metrics in one query; 0: any number
	isDenied     bool // the right to read statistics is missing
	isOff        bool // the server keeps no real-time samples
	keepsPast    bool // it keeps statistics of the past
	clockOffset  time.Duration
}

// vmSamples is what a VM's samples show beside its load.
type vmSamples struct {
	activeWriteMiB *float64
	swapInKiBps    *float64
	networkKiBps   *float64
	hasGaps        bool // every other value is missing
	hasNegatives   bool // every other value is -1
	isSilent       bool // no row in an answer
	isDenied       bool
	age            time.Duration // of the newest sample, beyond what is usual
}

// installStatistics replaces the library's canned series and its clock.
func (w *world) installStatistics(content types.ServiceContent) {
	old := w.ctx.Map.Get(*content.PerfManager).(*simulator.PerformanceManager)
	m := &performanceManager{PerformanceManager: *old, world: w, names: map[int32]string{}}
	for _, c := range m.PerfCounter {
		m.names[c.Key] = c.GroupInfo.GetElementDescription().Key + "." +
			c.NameInfo.GetElementDescription().Key + "." + string(c.RollupType)
	}
	w.ctx.Map.Put(m)
	w.clock = &serverClock{world: w}
	w.clock.Self = ref("ServiceInstance", "clock")
}

// serverClock answers CurrentTime in place of the service instance.
type serverClock struct {
	simulator.ServiceInstance
	world *world
}

// CurrentTime is the server's time, which a test may put forward or back.
func (c *serverClock) CurrentTime(_ *types.CurrentTime) soap.HasFault {
	return &methods.CurrentTimeBody{Res: &types.CurrentTimeResponse{Returnval: c.world.now()}}
}

func (w *world) now() time.Time { return time.Now().UTC().Add(w.samples.clockOffset) }

// QueryPerfProviderSummary says whether and how often there are samples.
func (m *performanceManager) QueryPerfProviderSummary(_ *simulator.Context, req *types.QueryPerfProviderSummary) soap.HasFault {
	if no := m.refusal([]types.ManagedObjectReference{req.Entity}, 0); no != nil {
		return &methods.QueryPerfProviderSummaryBody{Fault_: no}
	}
	summary := types.PerfProviderSummary{Entity: req.Entity, SummarySupported: true, RefreshRate: -1}
	if !m.world.samples.isOff {
		summary.CurrentSupported, summary.RefreshRate = true, realtimeSeconds
	}
	return &methods.QueryPerfProviderSummaryBody{Res: &types.QueryPerfProviderSummaryResponse{Returnval: summary}}
}

// QueryAvailablePerfMetric lists the counters that have real-time samples.
func (m *performanceManager) QueryAvailablePerfMetric(_ *simulator.Context, req *types.QueryAvailablePerfMetric) soap.HasFault {
	if no := m.refusal([]types.ManagedObjectReference{req.Entity}, 0); no != nil {
		return &methods.QueryAvailablePerfMetricBody{Fault_: no}
	}
	res := new(types.QueryAvailablePerfMetricResponse)
	for _, c := range m.PerfCounter {
		if m.world.figure(req.Entity, m.names[c.Key]) != nil {
			res.Returnval = append(res.Returnval, types.PerfMetricId{CounterId: c.Key})
		}
	}
	return &methods.QueryAvailablePerfMetricBody{Res: res}
}

// QueryPerf answers with csv; an entity without samples has no row.
func (m *performanceManager) QueryPerf(_ *simulator.Context, req *types.QueryPerf) soap.HasFault {
	var entities []types.ManagedObjectReference
	metrics := 0
	for _, spec := range req.QuerySpec {
		entities = append(entities, spec.Entity)
		metrics += len(spec.MetricId)
		if spec.Format != string(types.PerfFormatCsv) || (spec.IntervalId != realtimeSeconds && pastLengths[spec.IntervalId] == 0) {
			return &methods.QueryPerfBody{Fault_: simulator.Fault(
				"only csv at 20 s, 300 s and 1800 s is served", &types.InvalidArgument{InvalidProperty: "querySpec"})}
		}
	}
	if no := m.refusal(entities, metrics); no != nil {
		return &methods.QueryPerfBody{Fault_: no}
	}
	res := new(types.QueryPerfResponse)
	for i := range req.QuerySpec {
		if row := m.row(&req.QuerySpec[i]); row != nil {
			res.Returnval = append(res.Returnval, row)
		}
	}
	return &methods.QueryPerfBody{Res: res}
}

// refusal says why the server does not answer about these entities.
func (m *performanceManager) refusal(entities []types.ManagedObjectReference, metrics int) *soap.Fault {
	s := m.world.samples
	denied := m.Self
	isDenied := s.isDenied
	for _, e := range entities {
		v, h := m.world.vmIDs[e.Value], m.world.hostIDs[e.Value]
		if v == nil && h == nil {
			return simulator.Fault("", &types.ManagedObjectNotFound{Obj: e})
		}
		if v != nil && v.samples.isDenied {
			denied, isDenied = e, true
		}
	}
	switch {
	case isDenied:
		return simulator.Fault("", &types.NoPermission{Object: &denied, PrivilegeId: "System.Read"})
	case s.largestBatch > 0 && len(entities) > s.largestBatch, s.mostMetrics > 0 && metrics > s.mostMetrics:
		return simulator.Fault("", &types.RestrictedByAdministrator{Details: "the query is too large"})
	}
	return nil
}

// row is one entity's samples, nil where it has none.
func (m *performanceManager) row(spec *types.PerfQuerySpec) *types.PerfEntityMetricCSV {
	if spec.IntervalId != realtimeSeconds {
		return m.pastRow(spec)
	}
	w := m.world
	v := w.vmIDs[spec.Entity.Value]
	var shown vmSamples
	if v != nil {
		shown = v.samples
	}
	if shown.isSilent || w.samples.isOff {
		return nil
	}
	count := keptSamples
	if spec.MaxSample > 0 && int(spec.MaxSample) < count {
		count = int(spec.MaxSample)
	}
	row := &types.PerfEntityMetricCSV{SampleInfoCSV: sampleClock(w.now().Add(-shown.age), count)}
	row.Entity = spec.Entity
	for _, id := range spec.MetricId {
		if figure := w.figure(spec.Entity, m.names[id.CounterId]); figure != nil {
			series := types.PerfMetricSeriesCSV{Value: shown.series(*figure, count)}
			series.Id = id
			row.Value = append(row.Value, series)
		}
	}
	if len(row.Value) == 0 {
		return nil
	}
	return row
}

func sampleClock(now time.Time, count int) string {
	newest := now.Truncate(realtimeSeconds * time.Second)
	words := make([]string, 0, 2*count)
	for i := count - 1; i >= 0; i-- {
		at := newest.Add(-time.Duration(i) * realtimeSeconds * time.Second)
		words = append(words, strconv.Itoa(realtimeSeconds), at.Format(time.RFC3339))
	}
	return strings.Join(words, ",")
}

func (s vmSamples) series(figure float64, count int) string {
	value := strconv.FormatInt(int64(math.Round(figure)), 10)
	words := make([]string, count)
	for i := range words {
		words[i] = value
		if i%2 == 0 && s.hasGaps {
			words[i] = ""
		}
		if i%2 == 0 && s.hasNegatives {
			words[i] = "-1"
		}
	}
	return strings.Join(words, ",")
}

// figure is what a counter shows of an entity now, nil where it has no samples.
func (w *world) figure(entity types.ManagedObjectReference, name string) *float64 {
	if h := w.hostIDs[entity.Value]; h != nil && h.isReachable() {
		return hostFigure(h, name)
	}
	if v := w.vmIDs[entity.Value]; v != nil && v.isOn() && v.host.isReachable() {
		return vmFigure(v, name)
	}
	return nil
}

func hostFigure(h *hostState, name string) *float64 {
	switch name {
	case "cpu.usagemhz.average":
		return h.spec.CPUUsageMHz
	case "mem.consumed.average":
		return times(h.spec.MemoryUsageMiB, 1024)
	}
	return nil
}

func vmFigure(v *vmState, name string) *float64 {
	s := v.spec
	overhead := math.Min(overheadMiB, value(s.MemoryConsumedMiB))
	switch name {
	case "cpu.demand.average":
		return s.CPUDemandMHz
	case "cpu.ready.summation":
		return times(s.CPUReadyPercent, float64(s.VCPUs)*realtimeSeconds*10)
	case "mem.active.average":
		return times(s.MemoryActiveMiB, 1024)
	case "mem.consumed.average":
		if s.MemoryConsumedMiB != nil {
			guest := (*s.MemoryConsumedMiB - overhead) * 1024
			return &guest
		}
	case "mem.overhead.average":
		if s.MemoryConsumedMiB != nil {
			return times(&overhead, 1024)
		}
	case "mem.vmmemctl.average":
		return times(s.MemoryBalloonedMiB, 1024)
	case "mem.activewrite.average":
		return firstKnown(times(v.samples.activeWriteMiB, 1024), times(s.DirtyRateMbps, realtimeSeconds*1e6/8/1024))
	case "mem.swapinRate.average":
		return v.samples.swapInKiBps
	case "net.usage.average":
		return v.samples.networkKiBps
	}
	return nil
}

func times(known *float64, factor float64) *float64 {
	if known == nil {
		return nil
	}
	product := *known * factor
	return &product
}

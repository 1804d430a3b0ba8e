package main

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// pastLengths are the periods of the past that are served, by their steps in
// seconds. Like a vCenter at its default level 1, they hold what was used and
// not what was wanted.
var pastLengths = map[int32]time.Duration{300: 24 * time.Hour, 1800: 7 * 24 * time.Hour}

const pastCounter = "cpu.usagemhz.average"

// pastRow is a VM's statistics of the past: at each step what it uses now. It
// is nil where nothing is kept.
func (m *performanceManager) pastRow(spec *types.PerfQuerySpec) *types.PerfEntityMetricCSV {
	v := m.world.vmIDs[spec.Entity.Value]
	if v == nil || !m.world.samples.keepsPast || v.spec.CPUUsageMHz == nil {
		return nil
	}
	times := m.pastTimes(spec)
	row := &types.PerfEntityMetricCSV{SampleInfoCSV: strings.Join(times, ",")}
	row.Entity = spec.Entity
	value := strconv.Itoa(int(math.Round(*v.spec.CPUUsageMHz)))
	for _, id := range spec.MetricId {
		if m.names[id.CounterId] == pastCounter && len(times) > 0 {
			words := strings.TrimSuffix(strings.Repeat(value+",", len(times)/2), ",")
			row.Value = append(row.Value, types.PerfMetricSeriesCSV{
				PerfMetricSeries: types.PerfMetricSeries{Id: id}, Value: words})
		}
	}
	return row
}

// pastTimes are pairs of a step's length and its end: those after the start
// that was asked for, up to the end.
func (m *performanceManager) pastTimes(spec *types.PerfQuerySpec) []string {
	step := time.Duration(spec.IntervalId) * time.Second
	end := m.world.now()
	at := end.Add(-pastLengths[spec.IntervalId])
	if spec.StartTime != nil && spec.StartTime.After(at) {
		at = *spec.StartTime
	}
	if spec.EndTime != nil && spec.EndTime.Before(end) {
		end = *spec.EndTime
	}
	var words []string
	for at = at.Truncate(step).Add(step); !at.After(end); at = at.Add(step) {
		words = append(words, strconv.Itoa(int(spec.IntervalId)), at.UTC().Format(time.RFC3339))
	}
	return words
}

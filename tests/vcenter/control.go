package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/vmware/govmomi/vim25/types"
)

// control is the HTTP side: tests look at the world and change it.
type control struct {
	world *world
	gate  *gate
	port  *port
}

// handler answers a control call: with a value to send, or with an error that
// the caller made.
type handler func(req *http.Request) (any, error)

var (
	errNotThere = errors.New("not found")
	errBusy     = errors.New("conflict")
)

// newControl registers the control's calls. See README.md.
func newControl(w *world, g *gate, p *port) http.Handler {
	c := &control{world: w, gate: g, port: p}
	mux := http.NewServeMux()
	for pattern, h := range map[string]handler{
		"GET /state":               c.alone(c.state),
		"GET /relocations":         c.alone(c.relocations),
		"DELETE /relocations":      c.alone(c.forgetRelocations),
		"GET /snapshot":            c.alone(c.snapshot),
		"POST /migration":          c.alone(c.migration),
		"POST /migration/end":      c.alone(c.endMigrations),
		"POST /demand":             c.alone(c.demand),
		"POST /rules":              c.alone(c.rules),
		"POST /move":               c.alone(c.move),
		"POST /tasks/forget":       c.alone(c.forgetTasks),
		"GET /sessions":            c.alone(c.sessions),
		"POST /hosts/{host}/state": c.alone(c.hostState),
		"POST /hosts/{host}/setup": c.alone(c.hostSetup),
		"POST /drs":                c.alone(c.drs),
		"POST /rights":             c.alone(c.changeRights),
		"POST /vms/{vm}/power":     c.alone(c.vmPower),
		"POST /sessions/expire":    c.alone(c.expire),
		"POST /statistics":         c.alone(c.statistics),
		"POST /clock":              c.alone(c.setClock),
		"POST /permissions":        c.alone(c.permissions),
		"GET /calls":               c.calls,
		"DELETE /calls":            c.forgetCalls,
		"GET /faults":              c.listFaults,
		"POST /faults":             c.addFault,
		"DELETE /faults":           c.removeFaults,
		"DELETE /faults/{id}":      c.removeFaults,
		"POST /outage":             c.outage,
	} {
		mux.HandleFunc(pattern, serveJSON(h))
	}
	return mux
}

// alone runs a call with the world held.
func (c *control) alone(h handler) handler {
	return func(req *http.Request) (any, error) {
		c.world.mu.Lock()
		defer c.world.mu.Unlock()
		return h(req)
	}
}

func serveJSON(h handler) http.HandlerFunc {
	return func(out http.ResponseWriter, req *http.Request) {
		val, err := h(req)
		out.Header().Set("Content-Type", "application/json")
		if err != nil {
			out.WriteHeader(statusOf(err))
			val = map[string]string{"error": err.Error()}
		}
		_ = json.NewEncoder(out).Encode(val)
	}
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, errNotThere):
		return http.StatusNotFound
	case errors.Is(err, errBusy):
		return http.StatusConflict
	}
	return http.StatusBadRequest
}

// read decodes a request's body; unknown keys are errors.
func read(req *http.Request, into any) error {
	decoder := json.NewDecoder(req.Body)
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func (c *control) host(key string) (*hostState, error) {
	if h := c.world.findHost(key); h != nil {
		return h, nil
	}
	return nil, fmt.Errorf("host %q: %w", key, errNotThere)
}

func (c *control) vm(key string) (*vmState, error) {
	if v := c.world.findVM(key); v != nil {
		return v, nil
	}
	return nil, fmt.Errorf("vm %q: %w", key, errNotThere)
}

// done is the answer of a call that has nothing to say.
func done() map[string]bool { return map[string]bool{"ok": true} }

func (c *control) migration(req *http.Request) (any, error) {
	var ask struct {
		Seconds *float64 `json:"seconds"`
		VM      string   `json:"vm"`
	}
	if err := read(req, &ask); err != nil {
		return nil, err
	}
	if ask.Seconds != nil && *ask.Seconds < 0 {
		return nil, fmt.Errorf("seconds is %v; allowed are numbers from 0", *ask.Seconds)
	}
	if ask.VM == "" {
		if ask.Seconds == nil {
			return nil, errors.New("seconds is missing")
		}
		c.world.migrationTime = seconds(*ask.Seconds)
		return done(), nil
	}
	v, err := c.vm(ask.VM)
	if err != nil {
		return nil, err
	}
	v.migrationTime = nil
	if ask.Seconds != nil {
		d := seconds(*ask.Seconds)
		v.migrationTime = &d
	}
	return done(), nil
}

// endMigrations lets every running migration be over, as though its time were.
func (c *control) endMigrations(*http.Request) (any, error) {
	return map[string]int{"ended": c.world.landAll()}, nil
}

// demandChange is new demand of one VM; what is absent stays.
type demandChange struct {
	VM          string   `json:"vm"`
	CPUMHz      *float64 `json:"cpu_mhz"`
	ActiveMiB   *float64 `json:"active_mib"`
	ConsumedMiB *float64 `json:"consumed_mib"`
}

func (c *control) demand(req *http.Request) (any, error) {
	var ask struct {
		demandChange
		VMs []demandChange `json:"vms"`
	}
	if err := read(req, &ask); err != nil {
		return nil, err
	}
	changes := ask.VMs
	if ask.VM != "" {
		changes = append(changes, ask.demandChange)
	}
	changed := map[*hostState]bool{}
	for _, change := range changes {
		v, err := c.vm(change.VM)
		if err != nil {
			return nil, err
		}
		change.apply(v)
		changed[v.host] = true
	}
	for h := range changed {
		c.world.settle(h, settleFromDemand)
	}
	return done(), nil
}

func (d demandChange) apply(v *vmState) {
	for _, f := range []struct {
		from *float64
		to   **float64
	}{
		{d.CPUMHz, &v.spec.CPUDemandMHz}, {d.ActiveMiB, &v.spec.MemoryActiveMiB}, {d.ConsumedMiB, &v.spec.MemoryConsumedMiB},
	} {
		if f.from != nil {
			*f.to = f.from
		}
	}
}

func (c *control) rules(req *http.Request) (any, error) {
	var ask struct {
		Add    []*Rule  `json:"add"`
		Remove []string `json:"remove"`
	}
	if err := read(req, &ask); err != nil {
		return nil, err
	}
	if err := c.world.changeRules(ask.Add, ask.Remove); err != nil {
		return nil, err
	}
	return done(), nil
}

// move is a move by somebody else: at once, or as a task when seconds are given.
func (c *control) move(req *http.Request) (any, error) {
	ask := struct {
		VM      string   `json:"vm"`
		Host    string   `json:"host"`
		Seconds *float64 `json:"seconds"`
		User    string   `json:"user"`
	}{User: somebodyElse}
	if err := read(req, &ask); err != nil {
		return nil, err
	}
	v, err := c.vm(ask.VM)
	if err != nil {
		return nil, err
	}
	to, err := c.host(ask.Host)
	if err != nil {
		return nil, err
	}
	if v.busy != nil {
		return nil, fmt.Errorf("vm %s is moving already: %w", ask.VM, errBusy)
	}
	if ask.Seconds == nil {
		from := v.host
		c.world.place(v, to)
		c.world.postMigrated(v, from, ask.User)
		return done(), nil
	}
	lasting := seconds(*ask.Seconds)
	spec := &types.VirtualMachineRelocateSpec{Host: &to.obj.Self}
	_, no := c.world.submit(v, moveRequest{spec: spec, user: ask.User, priority: priorityWord(""), lasting: &lasting})
	if no != nil {
		return nil, fmt.Errorf("%s: %w", no.text, errBusy)
	}
	return done(), nil
}

var hostStates = []string{
	"connected", "entering_maintenance", "maintenance", "quarantine", "standby", "disconnected", "not_responding",
}

func (c *control) hostState(req *http.Request) (any, error) {
	var ask struct {
		State string `json:"state"`
	}
	if err := read(req, &ask); err != nil {
		return nil, err
	}
	h, err := c.host(req.PathValue("host"))
	if err != nil {
		return nil, err
	}
	if !slices.Contains(hostStates, ask.State) {
		return nil, fmt.Errorf("state is %q; allowed are %v", ask.State, hostStates)
	}
	c.world.forceHostState(h, ask.State)
	return done(), nil
}

func (c *control) vmPower(req *http.Request) (any, error) {
	var ask struct {
		Power string `json:"power"`
	}
	if err := read(req, &ask); err != nil {
		return nil, err
	}
	v, err := c.vm(req.PathValue("vm"))
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"on", "off", "suspended"}, ask.Power) {
		return nil, fmt.Errorf("power is %q; allowed are on, off, suspended", ask.Power)
	}
	c.world.setPower(v, ask.Power)
	return done(), nil
}

func (c *control) expire(*http.Request) (any, error) {
	return map[string]int{"expired": c.world.expireSessions()}, nil
}

func (c *control) calls(*http.Request) (any, error) {
	calls, dropped := c.gate.counts()
	return map[string]any{"calls": calls, "dropped": dropped}, nil
}

func (c *control) forgetCalls(*http.Request) (any, error) {
	c.gate.resetCounts()
	return done(), nil
}

func (c *control) listFaults(*http.Request) (any, error) {
	return map[string]any{"faults": c.world.faults.list()}, nil
}

func (c *control) addFault(req *http.Request) (any, error) {
	var rule faultRule
	if err := read(req, &rule); err != nil {
		return nil, err
	}
	id, err := c.world.faults.add(rule)
	if err != nil {
		return nil, err
	}
	return map[string]int{"id": id}, nil
}

func (c *control) removeFaults(req *http.Request) (any, error) {
	id := 0
	if word := req.PathValue("id"); word != "" {
		var err error
		if id, err = strconv.Atoi(word); err != nil {
			return nil, fmt.Errorf("fault %q: %w", word, errNotThere)
		}
	}
	return map[string]int{"removed": c.world.faults.remove(id)}, nil
}

func (c *control) outage(req *http.Request) (any, error) {
	var ask struct {
		Seconds float64 `json:"seconds"`
	}
	if err := read(req, &ask); err != nil {
		return nil, err
	}
	c.port.outage(seconds(ask.Seconds))
	return done(), nil
}

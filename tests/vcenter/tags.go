package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vapi/rest"
	vapi "github.com/vmware/govmomi/vapi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	sessionPath = rest.Path + "/com/vmware/cis/session"
	taggingPath = rest.Path + "/com/vmware/cis/tagging/"
	tokenHeader = "vmware-api-session-id"
)

// restMethod names a call of the REST API for counts and faults: its action, or
// the verb with the kind of thing that is asked for.
func restMethod(req *http.Request) string {
	if !strings.HasPrefix(req.URL.Path, rest.Path+"/") && !strings.HasPrefix(req.URL.Path, "/api/") {
		return ""
	}
	if action := req.URL.Query().Get("~action"); action != "" {
		return action
	}
	rest := strings.TrimPrefix(req.URL.Path, taggingPath)
	return req.Method + " " + strings.SplitN(strings.TrimPrefix(rest, "/"), "/", 2)[0]
}

// tagger fills the library's tagging service through its own interface.
type tagger struct {
	handler    http.Handler
	token      string
	categories map[string]string
	tags       map[string]string
}

// attacher is what the library's service offers beside HTTP.
type attacher interface {
	AttachTag(types.ManagedObjectReference, string) types.BaseMethodFault
}

// serveTags registers the library's REST services and attaches the snapshot's
// tags, which are written as category:name.
func (w *world) serveTags(mux *http.ServeMux, at *url.URL) error {
	patterns, handler := vapi.New(at, w.ctx.Map)
	for _, pattern := range patterns {
		mux.Handle(pattern, handler)
	}
	t := &tagger{handler: handler, categories: map[string]string{}, tags: map[string]string{}}
	for _, h := range w.hosts {
		if err := t.attach(at, h.obj.Self, h.spec.Tags); err != nil {
			return err
		}
	}
	for _, v := range w.vms {
		if err := t.attach(at, v.obj.Self, v.spec.Tags); err != nil {
			return err
		}
	}
	return nil
}

func (t *tagger) attach(at *url.URL, to types.ManagedObjectReference, words []string) error {
	if len(words) == 0 {
		return nil
	}
	if err := t.login(at); err != nil {
		return err
	}
	for _, word := range slices.Sorted(slices.Values(words)) {
		id, err := t.tag(word)
		if err != nil {
			return err
		}
		if fault := t.handler.(attacher).AttachTag(to, id); fault != nil {
			return fmt.Errorf("cannot attach tag %q to %s: %T", word, to.Value, fault)
		}
	}
	return nil
}

func (t *tagger) login(at *url.URL) error {
	if t.token != "" {
		return nil
	}
	req, err := http.NewRequest(http.MethodPost, sessionPath, nil)
	if err != nil {
		return err
	}
	password, _ := at.User.Password()
	req.SetBasicAuth(at.User.Username(), password)
	t.token, err = t.ask(req)
	return err
}

// tag makes a tag and its category where they are not there yet.
func (t *tagger) tag(word string) (string, error) {
	if id, ok := t.tags[word]; ok {
		return id, nil
	}
	category, name, ok := strings.Cut(word, ":")
	if !ok {
		return "", fmt.Errorf("tag %q is not written as category:name", word)
	}
	parent, ok := t.categories[category]
	if !ok {
		id, err := t.create("category", map[string]any{
			"name": category, "cardinality": "MULTIPLE", "associable_types": []string{"VirtualMachine", "HostSystem"},
		})
		if err != nil {
			return "", err
		}
		parent, t.categories[category] = id, id
	}
	id, err := t.create("tag", map[string]any{"name": name, "category_id": parent})
	t.tags[word] = id
	return id, err
}

func (t *tagger) create(kind string, spec map[string]any) (string, error) {
	body, err := json.Marshal(map[string]any{"create_spec": spec})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequest(http.MethodPost, taggingPath+kind, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set(tokenHeader, t.token)
	return t.ask(req)
}

func (t *tagger) ask(req *http.Request) (string, error) {
	answer := &recorder{header: http.Header{}, status: http.StatusOK}
	t.handler.ServeHTTP(answer, req)
	var found struct {
		Value string `json:"value"`
	}
	if answer.status != http.StatusOK {
		return "", fmt.Errorf("%s %s answers %d", req.Method, req.URL, answer.status)
	}
	err := json.Unmarshal(answer.body.Bytes(), &found)
	return found.Value, err
}

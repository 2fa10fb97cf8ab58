package serve

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
)

type modelObject struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
	Parent  string `json:"parent,omitempty"` // of an adapter: its base
}

func object(i Info) modelObject { return modelObject{i.ID, "model", i.Created, "lian", i.Base} }

// listModels is GET /v1/models.
func (s *Server) listModels(w http.ResponseWriter, _ *http.Request) error {
	list := []modelObject{}
	for _, m := range s.models {
		list = append(list, object(m.Info()))
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": list})
	return nil
}

// oneModel is GET /v1/models/{id}.
func (s *Server) oneModel(w http.ResponseWriter, r *http.Request) error {
	m, err := s.model(strings.TrimSuffix(r.PathValue("id"), "/"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, object(m.Info()))
	return nil
}

// info is GET /lian/info: what the page says about the models.
func (s *Server) info(w http.ResponseWriter, _ *http.Request) error {
	list := []Info{}
	for _, m := range s.models {
		list = append(list, m.Info())
	}
	writeJSON(w, http.StatusOK, map[string]any{"models": list})
	return nil
}

// suggestions is GET /lian/suggestions?model=ID: the prompts that lie beside the model, as they are in the file (a list of
// {"prompt", "template", "answer", "tools"}, or an object that has it as "suggestions"); an empty list where there are none.
func (s *Server) suggestions(w http.ResponseWriter, r *http.Request) error {
	m, err := s.model(r.URL.Query().Get("model"))
	if err != nil {
		return err
	}
	none := []byte(`[]`)
	path := m.Info().Suggestions
	if path == "" {
		writeRaw(w, http.StatusOK, none)
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil || !json.Valid(data) {
		s.log.Warn("the suggestions cannot be read", "file", path, "error", err)
		writeRaw(w, http.StatusOK, none)
		return nil
	}
	writeRaw(w, http.StatusOK, data)
	return nil
}

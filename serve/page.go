package serve

import (
	"embed"
	"io/fs"
	"net/http"

	"lian/message"
)

//go:embed webui/dist
var webui embed.FS

// Page is the built form of the page, as files.
func Page() fs.FS {
	dist, err := fs.Sub(webui, "webui/dist")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return dist
}

// addPage serves the page at / and its texts at /lian/messages. The page loads nothing from elsewhere.
func (s *Server) addPage(mux *http.ServeMux) {
	files := http.FileServerFS(Page())
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
	mux.Handle("GET /{$}", page)
	mux.Handle("GET /app/", page)
	mux.HandleFunc("GET /lian/messages", func(w http.ResponseWriter, _ *http.Request) {
		tables := map[string]map[string]string{}
		for _, lang := range message.Languages {
			tables[lang] = message.Table(lang, "web.")
		}
		writeJSON(w, http.StatusOK, tables)
	})
}

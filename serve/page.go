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

// pageHeaders keep a page from loading or sending anything elsewhere.
func pageHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-cache")
}

var pageFiles = http.FileServerFS(Page())

func servePage(w http.ResponseWriter, r *http.Request) {
	pageHeaders(w)
	pageFiles.ServeHTTP(w, r)
}

// addPage serves the page at /, that of plots at /runs, and the texts of the first at /lian/messages. Pages load nothing from elsewhere.
func (s *Server) addPage(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", servePage)
	mux.HandleFunc("GET /app/", servePage)
	addPlots(mux, RunsIn(s.options.Runs), func(h http.Handler) http.Handler {
		return s.api("/lian/runs", func(w http.ResponseWriter, r *http.Request) error {
			h.ServeHTTP(w, r)
			return nil
		})
	})
	mux.HandleFunc("GET /lian/messages", func(w http.ResponseWriter, _ *http.Request) {
		tables := map[string]map[string]string{}
		for _, lang := range message.Languages {
			tables[lang] = message.Table(lang, "web.")
		}
		writeJSON(w, http.StatusOK, tables)
	})
}

package hub

import (
	"os"
	"path/filepath"
	"strings"
)

// modelScopeCache has had three layouts: OWNER/NAME (with ___ for each dot), the same below models, and models/OWNER--NAME/snapshots/
// REVISION. Source: the client libraries modelscope 1.18 and modelscope_hub 0.5.
type modelScopeCache struct{}

func (modelScopeCache) name() string { return ModelScope }

// roots are the folders in which one of the layouts may be.
func (modelScopeCache) roots() []string {
	base := filepath.Join(userCache(), "modelscope")
	if dir := os.Getenv("MODELSCOPE_CACHE"); dir != "" {
		base = expand(dir)
	}
	return []string{base, filepath.Join(base, "hub")}
}

func (c modelScopeCache) dir() string { return c.roots()[0] }

func (c modelScopeCache) find(r Reference) (*Place, error) {
	owner, name, ok := strings.Cut(r.Repo, "/")
	if !ok {
		return nil, nil
	}
	plain := filepath.Join(owner, strings.ReplaceAll(name, ".", "___"))
	for _, root := range c.roots() {
		snapshots := filepath.Join(root, "models", owner+"--"+name, "snapshots")
		at := r.Revision
		if here := folders(snapshots); at == "" && len(here) == 1 {
			at = here[0]
		}
		if p, err := folderPlace(filepath.Join(snapshots, first(at, "master")), c.name(), r); p != nil || err != nil {
			return p, err
		}
		if r.Revision != "" { // the older layouts do not tell which one they hold
			continue
		}
		for _, dir := range []string{filepath.Join(root, "models", plain), filepath.Join(root, plain)} {
			if p, err := folderPlace(dir, c.name(), r); p != nil || err != nil {
				return p, err
			}
		}
	}
	return nil, nil
}

func (c modelScopeCache) list() (names []string) {
	for _, root := range c.roots() {
		for _, base := range []string{filepath.Join(root, "models"), root} {
			for _, owner := range folders(base) {
				if name := owner; strings.Contains(name, "--") {
					names = append(names, strings.Replace(name, "--", "/", 1))
					continue
				}
				if base == root && (owner == "models" || owner == "hub" || owner == "datasets") {
					continue
				}
				for _, name := range folders(filepath.Join(base, owner)) {
					if holdsModel(filepath.Join(base, owner, name)) {
						names = append(names, owner+"/"+strings.ReplaceAll(name, "___", "."))
					}
				}
			}
		}
	}
	return names
}

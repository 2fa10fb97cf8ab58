package read

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"lian/data/document"
)

// htmlPage reads the main text of a page: <article> or <main> where they hold
// most of it, else <body>; scripts, styles, navigation, headers, footers, forms
// are left out. Headings become # lines and records are sections, as in Markdown.
func htmlPage(r *Result, text string) {
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		r.reject(0, "html", Damaged, err.Error(), float64(len(text)))
		return
	}
	title := strings.Join(strings.Fields(plainText(find(root, atom.Title))), " ")
	body := find(root, atom.Body)
	whole := render(body)
	main := whole
	for _, a := range []atom.Atom{atom.Article, atom.Main} {
		if node := find(root, a); node != nil {
			if part := render(node); len(part)*2 > len(whole) {
				main = part
				break
			}
		}
	}
	if strings.TrimSpace(main) == "" {
		r.reject(0, "html", NoText, "the page has no text outside scripts, navigation and forms", float64(len(text)))
		return
	}
	sections(r, main, document.KindHTML, "html", title)
}

func find(n *html.Node, a atom.Atom) *html.Node {
	if n == nil {
		return nil
	}
	for node := range n.Descendants() {
		if node.Type == html.ElementNode && node.DataAtom == a {
			return node
		}
	}
	return nil
}

func plainText(n *html.Node) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	for node := range n.Descendants() {
		if node.Type == html.TextNode {
			b.WriteString(node.Data)
		}
	}
	return b.String()
}

// What is not text of the page, and what begins a new line.
var (
	leftOut = atoms(atom.Script, atom.Style, atom.Nav, atom.Header, atom.Footer, atom.Aside, atom.Form, atom.Noscript, atom.Template,
		atom.Svg, atom.Iframe, atom.Button, atom.Select, atom.Head, atom.Object, atom.Canvas)
	blocks = atoms(atom.P, atom.Div, atom.Section, atom.Article, atom.Main, atom.Ul, atom.Ol, atom.Dl, atom.Table, atom.Blockquote, atom.Pre,
		atom.Figure, atom.Figcaption, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Hr, atom.Address, atom.Details, atom.Summary)
	rows = atoms(atom.Li, atom.Tr, atom.Dt, atom.Dd, atom.Br, atom.Caption, atom.Option)
)

func atoms(list ...atom.Atom) map[atom.Atom]bool {
	set := map[atom.Atom]bool{}
	for _, a := range list {
		set[a] = true
	}
	return set
}

// render walks without recursion: pages nest arbitrarily deep.
func render(root *html.Node) string {
	if root == nil {
		return ""
	}
	w := &textWriter{}
	preformatted := 0
	node, down := root, true
	for {
		skip := node.Type == html.ElementNode && leftOut[node.DataAtom] && node != root
		if down && !skip {
			w.open(node, preformatted > 0)
			if node.DataAtom == atom.Pre {
				preformatted++
			}
			if node.FirstChild != nil {
				node = node.FirstChild
				continue
			}
		}
		if !skip {
			if node.DataAtom == atom.Pre {
				preformatted--
			}
			w.close(node)
		}
		if node == root {
			break
		}
		if node.NextSibling != nil {
			node, down = node.NextSibling, true
			continue
		}
		node, down = node.Parent, false
	}
	return strings.TrimSpace(w.String())
}

// textWriter joins inline text by single blanks and blocks by blank lines.
type textWriter struct {
	strings.Builder
	breaks int  // line ends owed before the next text
	blank  bool // a blank owed
}

func (w *textWriter) put(s string) {
	if s == "" {
		return
	}
	if w.Len() > 0 {
		if w.breaks > 0 {
			w.WriteString("\n\n"[:min(w.breaks, 2)])
		} else if w.blank {
			w.WriteByte(' ')
		}
	}
	w.breaks, w.blank = 0, false
	w.WriteString(s)
}

func (w *textWriter) open(n *html.Node, preformatted bool) {
	switch {
	case n.Type == html.TextNode && preformatted:
		w.put(n.Data)
	case n.Type == html.TextNode:
		words := strings.Join(strings.Fields(n.Data), " ")
		if words == "" {
			w.blank = w.blank || n.Data != ""
			return
		}
		w.blank = w.blank || strings.TrimLeft(n.Data, " \t\r\n") != n.Data
		w.put(words)
		w.blank = strings.TrimRight(n.Data, " \t\r\n") != n.Data
	case n.Type != html.ElementNode:
	case blocks[n.DataAtom]:
		w.breaks = 2
		if level := headingLevel(n); level > 0 && strings.TrimSpace(plainText(n)) != "" {
			w.put(strings.Repeat("#", level) + " ")
		}
	case rows[n.DataAtom]:
		w.breaks = max(w.breaks, 1)
		if n.DataAtom == atom.Li && strings.TrimSpace(plainText(n)) != "" {
			w.put("- ")
		}
	case n.DataAtom == atom.Td || n.DataAtom == atom.Th:
		w.blank = true
	}
}

func (w *textWriter) close(n *html.Node) {
	if n.Type != html.ElementNode {
		return
	}
	if blocks[n.DataAtom] {
		w.breaks = 2
	} else if rows[n.DataAtom] {
		w.breaks = max(w.breaks, 1)
	}
}

func headingLevel(n *html.Node) int {
	switch n.DataAtom {
	case atom.H1:
		return 1
	case atom.H2:
		return 2
	case atom.H3:
		return 3
	case atom.H4:
		return 4
	case atom.H5:
		return 5
	case atom.H6:
		return 6
	}
	return 0
}

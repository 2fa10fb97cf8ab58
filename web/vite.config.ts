import { defineConfig } from "vite";

// File names without hashes: the built form is committed, and its history should show what changed.
export default defineConfig({
  base: "/",
  build: {
    outDir: "../serve/webui/dist",
    emptyOutDir: true,
    assetsDir: "app",
    modulePreload: false,
    target: "es2022",
    cssCodeSplit: true,
    rollupOptions: {
      input: { page: "index.html", plots: "plots.html" },
      output: { entryFileNames: "app/[name].js", chunkFileNames: "app/[name].js", assetFileNames: "app/[name][extname]" },
    },
  },
  server: { proxy: { "/v1": "http://127.0.0.1:8080", "/lian": "http://127.0.0.1:8080" } },
});

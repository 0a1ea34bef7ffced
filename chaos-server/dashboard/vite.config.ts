import tailwind from '@tailwindcss/vite'
import { defineConfig, type ProxyOptions } from 'vite'

const API = ['/start_incident', '/status', '/report', '/incidents', '/scenarios', '/targets', '/plugins', '/me', '/docs', '/openapi.json']

// The names of the outputs don't depend on their contents: the server sends an ETag, and a change shows as a change of
// one file.
export default defineConfig({
  plugins: [tailwind()],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    rollupOptions: {
      output: {
        entryFileNames: 'assets/[name].js',
        chunkFileNames: 'assets/[name].js',
        assetFileNames: 'assets/[name][extname]',
      },
    },
  },
  server: {
    // `npm run dev` beside a server that runs: its address in CHAOS_API. The server takes changes from its own pages only,
    // and here it sees none of ours.
    proxy: Object.fromEntries(
      API.map((path) => [
        path,
        {
          target: process.env.CHAOS_API ?? 'http://127.0.0.1:8087',
          changeOrigin: true,
          configure: (proxy) => proxy.on('proxyReq', (request) => request.removeHeader('origin')),
        } satisfies ProxyOptions,
      ]),
    ),
  },
})

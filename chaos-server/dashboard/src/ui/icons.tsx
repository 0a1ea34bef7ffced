// Line icons, 16 px, drawn in the text's colour. Always beside a word, or labelled by their button.

const PATHS = {
  check: 'M3 8.5l3.2 3.2L13 5',
  cross: 'M4 4l8 8M12 4l-8 8',
  warn: 'M8 2.5l6 11H2zM8 6.5v3.2M8 11.6v.2',
  clock: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 5v3.2l2 1.3',
  stop: 'M4 4h8v8H4z',
  ring: 'M8 2.5a5.5 5.5 0 1 1-5.5 5.5',
  dash: 'M4 8h8',
  down: 'M8 3v9M4.5 8.5L8 12l3.5-3.5',
  download: 'M8 2v8M4.8 7L8 10.2 11.2 7M3 13.5h10',
  refresh: 'M13 8a5 5 0 1 1-1.5-3.5M13 2.5V5h-2.5',
  copy: 'M5.5 5.5h7v8h-7zM3.5 10.5v-8h7',
  search: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3L14 14',
  plus: 'M8 3v10M3 8h10',
  back: 'M9.5 3.5L5 8l4.5 4.5',
  next: 'M6.5 3.5L11 8l-4.5 4.5',
  sun: 'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1',
  moon: 'M13.5 9.5A5.8 5.8 0 0 1 6.5 2.5a5.8 5.8 0 1 0 7 7z',
  auto: 'M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12',
  help: 'M6 6a2 2 0 1 1 2.8 1.9c-.6.3-.8.6-.8 1.3M8 11.6v.2M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8z',
  evidence: 'M6.5 9.5l3-3M7 4.5l1.3-1.3a2.6 2.6 0 0 1 3.7 3.7L10.700 8.2M9 11.500l-1.300 1.300a2.600 2.600 0 0 1-3.700-3.700L5.300 7.800',
  offline:
    'M2 2l12 12M5 8.500a4.500 4.500 0 0 1 2-1M9.500 7.800a4.500 4.500 0 0 1 1.500.9M2.500 6a8 8 0 0 1 2-1.400M7 4a8 8 0 0 1 6.500 2M8 12v.1',
  key: 'M5.5 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8.5 8H14M12 8v2.5',
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name, class: className = '' }: { name: IconName; class?: string }) {
  return (
    <svg
      class={`inline-block flex-none ${className}`}
      width="16"
      height="16"
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  )
}

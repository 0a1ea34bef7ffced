// Who we are to the server, for every page.

import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { Me, Role } from './api/types'

export interface Session {
  me: Me
  signOut: () => void
}

export const SessionContext = createContext<Session | null>(null)

export function useSession(): Session {
  const session = useContext(SessionContext)
  if (!session) throw new Error('a page outside of a session')
  return session
}

const ORDER: Role[] = ['read', 'run', 'approve']

/** Whether the caller holds a role; each holds the ones before it. */
export function may(me: Me, role: Role): boolean {
  return me.role !== null && ORDER.indexOf(me.role) >= ORDER.indexOf(role)
}

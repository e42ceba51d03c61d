/** Reading JSON that somebody else wrote: nothing is assumed, everything is asked. */
import { Refusal } from './refusal.ts'

export type Json = { readonly [name: string]: unknown }

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The objects in an array; none if it is no array. */
export function objectsIn(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}

export function stringOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise
}

export function positiveInteger(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : undefined
}

export function parseObject(body: Buffer): Json | Refusal {
  try {
    const value: unknown = JSON.parse(body.toString())
    return isObject(value) ? value : new Refusal(400, 'The request body must be a JSON object.')
  } catch {
    return new Refusal(400, 'The request body is not valid JSON.')
  }
}

/**
 * Loaded into Portkey's process ahead of it. Without this it answers each stream with 500: it adds fields to a response
 * that was made from one of `fetch`, and the Response that its HTTP adapter installs takes those fields over unchangeable.
 * Here they are copied first, as Node's own Response does.
 */
const Native = globalThis.Response
const define = Object.defineProperty

function copyingFields(Light: typeof Response): typeof Response {
  return new Proxy(Light, {
    construct(target, [body, init]: ConstructorParameters<typeof Response>) {
      const isFetched = init instanceof Native && !((init as object) instanceof Light)
      return new target(body, isFetched ? { status: init.status, headers: new Headers(init.headers) } : init)
    },
  })
}

Object.defineProperty = <T>(object: T, key: PropertyKey, descriptor: PropertyDescriptor & ThisType<unknown>): T => {
  const isInstalled = (object as unknown) === globalThis && key === 'Response'
  return define(object, key, isInstalled ? { ...descriptor, value: copyingFields(descriptor.value) } : descriptor)
}

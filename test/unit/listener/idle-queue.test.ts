import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Queued } from '../../../src/http/queued.ts'
import { IdleQueue } from '../../../src/listener/idle-queue.ts'

class Member extends Queued {}

/** The queue from its front, by its links, and the same from its back. */
function membersOf(queue: IdleQueue<Member>): Member[] {
  const members: Member[] = []
  for (let member = queue.longest; member !== undefined; member = member.idleNext) members.push(member)
  const reversed: Member[] = []
  for (let member = members.at(-1); member !== undefined; member = member.idlePrevious) reversed.push(member)
  assert.deepEqual(reversed.reverse(), members)
  return members
}

test('whatever goes in and out, it is a queue', () => {
  const step = fc.tuple(fc.constantFrom('add', 'remove', 'remove longest'), fc.nat(5))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new IdleQueue<Member>()
      const members = Array.from({ length: 6 }, () => new Member())
      let model: Member[] = []
      for (const [what, index] of steps) {
        const member = what === 'remove longest' ? queue.longest : members[index]!
        if (member === undefined) continue
        if (what === 'add') {
          queue.add(member)
          if (!model.includes(member)) model.push(member)
        } else {
          queue.remove(member)
          model = model.filter((other) => other !== member)
        }
        assert.equal(queue.longest, model[0])
        assert.deepEqual(membersOf(queue), model)
        for (const each of members) assert.equal(each.isQueuedIdle, model.includes(each))
      }
      for (const each of members.filter((other) => !model.includes(other)))
        assert.deepEqual([each.idlePrevious, each.idleNext], [undefined, undefined], 'holds nobody in memory')
    }),
  )
})

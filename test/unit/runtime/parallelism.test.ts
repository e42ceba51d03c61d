import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { cpuQuota, parallelism } from '../../../src/runtime/parallelism.ts'

/** A machine as it shows in /proc and /sys: lists of processors, the text of two files, and the files of its groups. */
interface Machine {
  readonly allowed?: string
  readonly online?: string
  readonly groups?: string
  readonly mounts?: string
  readonly files?: Readonly<Record<string, string>>
}

function reader({ allowed, online, groups, mounts, files = {} }: Machine) {
  const all: Record<string, string | undefined> = {
    '/proc/self/status':
      allowed && `Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t${allowed}\nMems_allowed:\t1\n`,
    '/sys/devices/system/cpu/online': online && `${online}\n`,
    '/proc/self/cgroup': groups,
    '/proc/self/mountinfo': mounts,
    ...files,
  }
  return (path: string): string | undefined => all[path]
}

const EIGHT = { allowed: '0-7', online: '0-7' }

const V1_GROUPS = (path: string) =>
  `12:pids:${path}\n11:cpuset:${path}\n4:cpu,cpuacct:${path}\n3:memory:${path}\n1:name=systemd:${path}\n0::/system.slice/containerd.service\n`

/** What a container of Docker sees, in the words of Docker 20 on cgroup v1. */
const V1_DOCKER_MOUNTS = (root: string) =>
  `1530 1529 0:149 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw,mode=755
1531 1530 0:27 ${root} /sys/fs/cgroup/systemd ro,nosuid,nodev,noexec,relatime master:9 - cgroup cgroup rw,xattr,name=systemd
1532 1530 0:30 ${root} /sys/fs/cgroup/cpuset ro,nosuid,nodev,noexec,relatime master:15 - cgroup cgroup rw,cpuset
1533 1530 0:31 ${root} /sys/fs/cgroup/cpu,cpuacct ro,nosuid,nodev,noexec,relatime master:16 - cgroup cgroup rw,cpu,cpuacct
`

const V2_MOUNT = (root: string) =>
  `1186 1171 0:26 ${root} /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate,memory_recursiveprot\n`

const HYBRID_MOUNTS = `31 24 0:27 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:9 - tmpfs tmpfs ro,size=4096k,nr_inodes=1024,mode=755
32 31 0:28 / /sys/fs/cgroup/unified rw,nosuid,nodev,noexec,relatime shared:10 - cgroup2 cgroup2 rw,nsdelegate
33 31 0:29 / /sys/fs/cgroup/systemd rw,nosuid,nodev,noexec,relatime shared:11 - cgroup cgroup rw,xattr,name=systemd
39 31 0:35 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid,nodev,noexec,relatime shared:17 - cgroup cgroup rw,cpu,cpuacct
`

const CPU = '/sys/fs/cgroup/cpu,cpuacct'
const DOCKER = `/docker/${'c0ffee'.repeat(10)}c0ff`
const POD = '/kubepods/burstable/pod1b9c4a5e-5d9a-4d6c-9a40-0a1b2c3d4e5f/9f86d081884c7d65'

function v1(folder: string, quota: number, period = 100_000): Record<string, string> {
  return { [`${folder}/cpu.cfs_quota_us`]: `${quota}\n`, [`${folder}/cpu.cfs_period_us`]: `${period}\n` }
}

const QUOTAS: Readonly<Record<string, Machine & { readonly quota: number | undefined }>> = {
  'docker, v1, --cpus 1.5': {
    groups: V1_GROUPS(DOCKER),
    mounts: V1_DOCKER_MOUNTS(DOCKER),
    files: v1(CPU, 150_000),
    quota: 1.5,
  },
  'docker, v1, without a limit': {
    groups: V1_GROUPS(DOCKER),
    mounts: V1_DOCKER_MOUNTS(DOCKER),
    files: v1(CPU, -1),
    quota: undefined,
  },
  'docker, v1, with a private namespace': {
    groups: V1_GROUPS('/'),
    mounts: V1_DOCKER_MOUNTS('/'),
    files: v1(CPU, 50_000),
    quota: 0.5,
  },
  'docker, v1, where only its own group is mounted under a name that the process does not know': {
    groups: V1_GROUPS('/other'),
    mounts: V1_DOCKER_MOUNTS(DOCKER),
    files: v1(CPU, 300_000),
    quota: 3,
  },
  'a group that a container has made for itself, v1': {
    groups: V1_GROUPS(`${DOCKER}/inner`),
    mounts: V1_DOCKER_MOUNTS(DOCKER),
    files: { ...v1(CPU, 400_000), ...v1(`${CPU}/inner`, 200_000) },
    quota: 2,
  },
  'docker, v2, with a private namespace': {
    groups: '0::/\n',
    mounts: V2_MOUNT('/'),
    files: { '/sys/fs/cgroup/cpu.max': '250000 100000\n' },
    quota: 2.5,
  },
  'docker, v2, without a limit': {
    groups: '0::/\n',
    mounts: V2_MOUNT('/'),
    files: { '/sys/fs/cgroup/cpu.max': 'max 100000\n' },
    quota: undefined,
  },
  'docker, v2, with the namespace of the host': {
    groups: `0::/system.slice/docker-${'ab'.repeat(32)}.scope\n`,
    mounts: V2_MOUNT('/'),
    files: { [`/sys/fs/cgroup/system.slice/docker-${'ab'.repeat(32)}.scope/cpu.max`]: '100000 100000\n' },
    quota: 1,
  },
  'a namespace whose root is below that of the mount': {
    groups: '0::/\n',
    mounts: V2_MOUNT('/../..'),
    files: { '/sys/fs/cgroup/cpu.max': '700000 100000\n' },
    quota: 7,
  },
  'a process that was moved out of its namespace': {
    groups: '0::/../other\n',
    mounts: V2_MOUNT('/'),
    files: { '/sys/fs/cgroup/cpu.max': '600000 100000\n', '/sys/fs/other/cpu.max': '100000 100000\n' },
    quota: 6,
  },
  'kubernetes, v1': {
    groups: V1_GROUPS(POD),
    mounts: V1_DOCKER_MOUNTS(POD),
    files: v1(CPU, 75_000, 25_000),
    quota: 3,
  },
  'kubernetes, v1, where the whole tree can be seen: the limit of the pod holds for its containers': {
    groups: V1_GROUPS(POD),
    mounts: HYBRID_MOUNTS,
    files: { ...v1(CPU, -1), ...v1(`${CPU}${POD}`, -1), ...v1(`${CPU}${POD.slice(0, POD.lastIndexOf('/'))}`, 120_000) },
    quota: 1.2,
  },
  'kubernetes, v2': {
    groups: '0::/\n',
    mounts: V2_MOUNT('/'),
    files: { '/sys/fs/cgroup/cpu.max': '200000 100000\n' },
    quota: 2,
  },
  'kubernetes, v2, where the whole tree can be seen': {
    groups: `0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-${'0'.repeat(64)}.scope\n`,
    mounts: V2_MOUNT('/'),
    files: {
      [`/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/cri-containerd-${'0'.repeat(64)}.scope/cpu.max`]:
        'max 100000\n',
      '/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/cpu.max': '350000 100000\n',
      '/sys/fs/cgroup/kubepods.slice/cpu.max': '800000 100000\n',
    },
    quota: 3.5,
  },
  'a slice of systemd with CPUQuota=150%': {
    groups: '0::/gateways.slice/fluxgate.service\n',
    mounts: '35 24 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n',
    files: {
      '/sys/fs/cgroup/gateways.slice/cpu.max': '150000 100000\n',
      '/sys/fs/cgroup/gateways.slice/fluxgate.service/cpu.max': 'max 100000\n',
    },
    quota: 1.5,
  },
  'systemd, hybrid: v1 has the quota, v2 only names': {
    groups: V1_GROUPS('/system.slice/fluxgate.service'),
    mounts: HYBRID_MOUNTS,
    files: v1(`${CPU}/system.slice/fluxgate.service`, 20_000),
    quota: 0.2,
  },
  'a mount whose name has a blank in it': {
    groups: '0::/a b\n',
    mounts: '35 24 0:30 / /mnt/c\\040g rw shared:9 - cgroup2 none rw\n',
    files: { '/mnt/c g/a b/cpu.max': '100000 50000\n' },
    quota: 2,
  },
  'a group whose name only begins like that of the mount': {
    groups: '0::/ab\n',
    mounts: `${V2_MOUNT('/a')}35 24 0:30 / /mnt rw - cgroup2 none rw\n`,
    files: { '/sys/fs/cgroup/cpu.max': '100000 100000\n', '/mnt/ab/cpu.max': '400000 100000\n' },
    quota: 4,
  },
  'no groups at all': { quota: undefined },
  'groups that are mounted nowhere': { groups: V1_GROUPS(DOCKER), mounts: '', quota: undefined },
  'mounts without groups': { groups: '', mounts: V2_MOUNT('/'), quota: undefined },
  'groups whose files cannot be read': { groups: V1_GROUPS(DOCKER), mounts: HYBRID_MOUNTS, quota: undefined },
  'a period without a quota': {
    groups: V1_GROUPS('/'),
    mounts: HYBRID_MOUNTS,
    files: { [`${CPU}/cpu.cfs_period_us`]: '100000\n' },
    quota: undefined,
  },
  'garbage in the files of the group': {
    groups: '0::/\n4:cpu:/\n',
    mounts: `${V2_MOUNT('/')}${HYBRID_MOUNTS}`,
    files: {
      '/sys/fs/cgroup/cpu.max': 'lots of it',
      [`${CPU}/cpu.cfs_quota_us`]: '',
      [`${CPU}/cpu.cfs_period_us`]: '0',
    },
    quota: undefined,
  },
  'a quota of nothing and a period of nothing': {
    groups: '0::/a\n',
    mounts: V2_MOUNT('/'),
    files: { '/sys/fs/cgroup/a/cpu.max': '0 100000\n', '/sys/fs/cgroup/cpu.max': '100000 0\n' },
    quota: undefined,
  },
  garbage: {
    groups: '\0:::\n0\n::::\n4:cpu\n4:cpu:x\n',
    mounts: ' - \n - - \n\\999 - cgroup2\na b c d e - cgroup\n',
    quota: undefined,
  },
}

describe('the quota', () => {
  for (const [name, { quota, ...machine }] of Object.entries(QUOTAS)) {
    test(name, () => assert.equal(cpuQuota(reader(machine)), quota))
  }
})

function inContainer(cpuMax: string): Machine {
  return { groups: '0::/\n', mounts: V2_MOUNT('/'), files: { '/sys/fs/cgroup/cpu.max': cpuMax } }
}

describe('how many threads can run at once', () => {
  const cases: Readonly<Record<string, readonly [Machine, number]>> = {
    'as many as there are processors': [EIGHT, 8],
    'as many as it may run on': [{ ...EIGHT, allowed: '1,3-5' }, 4],
    'not those that are not there': [{ allowed: '0-127', online: '0-2,4' }, 4],
    'a quota of a part': [{ ...EIGHT, ...inContainer('10000 100000') }, 1],
    'a quota of one and a half': [{ ...EIGHT, ...inContainer('150000 100000') }, 2],
    'a quota of whole ones': [{ ...EIGHT, ...inContainer('300000 100000') }, 3],
    'a quota above what is there': [{ ...EIGHT, ...inContainer('6400000 100000') }, 8],
    'no quota': [{ ...EIGHT, ...inContainer('max 100000') }, 8],
    'nothing to be read': [{}, 6],
    'nothing to be read but a quota': [inContainer('200000 100000'), 2],
    'a list that is none': [{ allowed: 'all', online: '0-7' }, 6],
    'a list without an end': [{ allowed: '0-99999999999', online: '0-7' }, 6],
    'lists that have nothing in common': [{ allowed: '4', online: '0-3' }, 6],
  }
  for (const [name, [machine, expected]] of Object.entries(cases)) {
    test(name, () =>
      assert.equal(
        parallelism(reader(machine), () => 6),
        expected,
      ),
    )
  }

  test('is never less than one', () =>
    assert.equal(
      parallelism(reader({}), () => 0),
      1,
    ))

  test('can be told of this machine', () => {
    const here = parallelism()
    assert.ok(Number.isSafeInteger(here) && here >= 1)
  })
})

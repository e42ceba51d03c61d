import { ask, findDoor } from './admin-client.ts'

/** In all. */
const LIMIT_MS = 1900

/** Asks `/ready`, and prints the answer; 0 if traffic may come, else 1. */
export async function health(
  configPath: string,
  url: string | undefined,
  print: (line: string) => void,
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  const door = findDoor(configPath, url, env)
  const answer = 'wrong' in door ? door : await ask(door, '/ready', LIMIT_MS)
  print('wrong' in answer ? answer.wrong : answer.text.trimEnd())
  return 'status' in answer && answer.status === 200 ? 0 : 1
}

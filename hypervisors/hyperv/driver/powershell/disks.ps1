# DiskIdentifier is what a guest sees as page 83 of the disk:
# https://learn.microsoft.com/powershell/module/hyper-v/get-vhd
function Get-DiskFacts {
    param([string]$Path)
    $disk = Get-VHD -Path $Path
    return [ordered]@{
        path = [string]$disk.Path
        type = [string]$disk.VhdType
        virtualDiskId = ConvertTo-Guid -Text $disk.DiskIdentifier
        sizeBytes = [int64]$disk.Size
    }
}

# As the protocol writes them: lower case, no braces.
function ConvertTo-Guid {
    param([string]$Text)
    return $Text.Trim('{', '}').ToLowerInvariant()
}

function Test-DiskIdentity {
    param([string]$Path, [string]$VirtualDiskId)
    if (-not [IO.File]::Exists($Path)) {
        Stop-Operation -Code 'not_there' -Message "$Path is not there"
    }
    $found = (Get-DiskFacts -Path $Path).virtualDiskId
    if ($found -ne $VirtualDiskId) {
        Stop-Operation -Code 'identity_conflict' -Message "$Path is disk $found, not $VirtualDiskId"
    }
}

# The parent as the file itself names it: absolute, and the empty text for a disk that has none. Only this file is opened,
# which is a guess: were its parents opened too, a hanging volume would be waited for, within the patience of the asker.
function Get-ParentPath {
    param([string]$Path)
    return Convert-VolumePath -Path ([string](Get-VHD -Path $Path).ParentPath)
}

# A differencing disk names its parent in three ways, one of them by the volume's own name ([MS-VHDX] 2.2.2.3); which of them
# Windows tells where a volume is mounted in a directory is not known. Paths here have a drive letter.
function Convert-VolumePath {
    param([string]$Path)
    if ($Path -notmatch '^(\\\\\?\\Volume\{[0-9a-fA-F-]+\}\\)(.*)$') {
        return $Path
    }
    $volume = $Matches[1]
    $rest = $Matches[2]
    foreach ($partition in @(Get-Partition)) {
        $ways = @($partition.AccessPaths)
        if ($ways -notcontains $volume) {
            continue
        }
        foreach ($way in $ways) {
            if ($way -match '^[A-Za-z]:') {
                return $way + $rest
            }
        }
    }
    return $Path
}

# From the leaf to the disk that stands on none. So long a chain is none of ours, but somebody's checkpoints may be.
function Get-DiskChain {
    param([string]$Path)
    $files = @()
    $next = $Path
    while ($next -ne '') {
        if ($files.Length -ge 64) {
            Stop-Operation -Code 'chain_unexpected' -Message "more than 64 files below $Path"
        }
        $files += , (Get-DiskFacts -Path $next)
        $next = Get-ParentPath -Path $next
    }
    return , $files
}

# New-VHD takes no other names than .vhd and .vhdx, and may die in the middle.
function Get-UnfinishedPath {
    param([string]$Path)
    $unfinished = $Path + '.new.vhdx'
    if ([IO.File]::Exists($unfinished)) {
        [IO.File]::Delete($unfinished)
    }
    return $unfinished
}

function Invoke-MakeTarget {
    param($Request)
    $made = $false
    if (-not [IO.File]::Exists($Request.path)) {
        if ($null -ne $Request.knownId) {
            Stop-Operation -Code 'identity_conflict' -Message "$($Request.path), which was made before, is gone"
        }
        New-Folder -Path ([IO.Path]::GetDirectoryName($Request.path))
        $unfinished = Get-UnfinishedPath -Path $Request.path
        $shape = @{
            Path = $unfinished
            SizeBytes = [uint64]$Request.sizeBytes
            LogicalSectorSizeBytes = [uint32]$Request.logicalSectorBytes
            PhysicalSectorSizeBytes = [uint32]$Request.physicalSectorBytes
        }
        if ($Request.whole) {
            [void](New-VHD @shape -Fixed)
        }
        else {
            [void](New-VHD @shape -Dynamic)
        }
        if ($null -ne $Request.placeholder) {
            New-Placeholder -From $unfinished -To $Request.placeholder
        }
        Complete-File -From $unfinished -To $Request.path
        $made = $true
    }
    $facts = Get-DiskFacts -Path $Request.path
    if (($null -ne $Request.knownId) -and ($facts.virtualDiskId -ne $Request.knownId)) {
        Stop-Operation -Code 'identity_conflict' -Message "$($Request.path) is disk $($facts.virtualDiskId), not $($Request.knownId)"
    }
    if ($facts.sizeBytes -ne $Request.sizeBytes) {
        Stop-Operation -Code 'identity_conflict' -Message "$($Request.path) has $($facts.sizeBytes) bytes, not $($Request.sizeBytes)"
    }
    return [ordered]@{
        path = $facts.path
        type = $facts.type
        virtualDiskId = $facts.virtualDiskId
        sizeBytes = $facts.sizeBytes
        made = $made
        placeholderDataId = Get-PlaceholderDataId -Path $Request.placeholder
    }
}
